from claude_proxy.config import load
from claude_proxy.credentials.chain import CredentialChain
from claude_proxy.upstream.anthropic import AnthropicBackend
from claude_proxy.upstream.factory import BACKENDS, make_backend


async def test_the_backend_is_the_one_that_asks_anthropic_over_http() -> None:
    config = load({}, {})
    backend = make_backend(config, CredentialChain([], config), {})
    assert isinstance(backend, AnthropicBackend)
    assert BACKENDS[backend.name] is AnthropicBackend
    await backend.close()
