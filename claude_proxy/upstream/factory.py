"""Makes the backend that the settings ask for; every caller gets its backend here."""

from collections.abc import Callable, Mapping

from claude_proxy.config import Config
from claude_proxy.credentials.chain import CredentialChain
from claude_proxy.upstream.anthropic import AnthropicBackend
from claude_proxy.upstream.base import Backend

Make = Callable[[Config, CredentialChain, Mapping[str, str]], Backend]

# A backend is a row: its name and how it is made.
BACKENDS: Mapping[str, Make] = {
    AnthropicBackend.name: AnthropicBackend,
}


def make_backend(config: Config, chain: CredentialChain, environ: Mapping[str, str]) -> Backend:
    """The backend for these settings; `environ` names proxies and certificate authorities. Close it when done.

    Raises ConfigError when a setting or a variable cannot be used.
    """
    return BACKENDS[AnthropicBackend.name](config, chain, environ)
