"""Makes the backend that the settings ask for; every caller gets its backend here."""

from collections.abc import Callable, Mapping

from claude_proxy.config import Config
from claude_proxy.credentials.chain import CredentialChain
from claude_proxy.upstream.anthropic import AnthropicBackend
from claude_proxy.upstream.auto import AutoBackend
from claude_proxy.upstream.base import Backend
from claude_proxy.upstream.claude_cli.backend import ClaudeCliBackend

Make = Callable[[Config, CredentialChain, Mapping[str, str]], Backend]


def _auto(config: Config, chain: CredentialChain, environ: Mapping[str, str]) -> Backend:
    return AutoBackend(AnthropicBackend(config, chain, environ), ClaudeCliBackend(config, chain, environ), chain)


# A backend is a row: the value of the setting `backend`, and how it is made.
BACKENDS: Mapping[str, Make] = {"auto": _auto, "direct": AnthropicBackend, "cli": ClaudeCliBackend}


def make_backend(config: Config, chain: CredentialChain, environ: Mapping[str, str]) -> Backend:
    """The backend for these settings; `environ` is the daemon's own environment. Close it when done.

    The simulator is always asked directly. Raises ConfigError when a setting or a variable cannot be used.
    """
    return BACKENDS["direct" if config.simulator else config.backend](config, chain, environ)
