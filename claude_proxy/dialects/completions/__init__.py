"""The legacy completions API: a text that Claude continues."""
