"""An OpenAI-compatible door to Claude on this machine, with the login the Claude CLI already has."""

__version__ = "0.1.0"
