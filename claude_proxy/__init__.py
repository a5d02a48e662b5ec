"""An OpenAI-compatible API on this machine that Claude answers, with the login that the Claude CLI has stored."""

__version__ = "0.1.0"
