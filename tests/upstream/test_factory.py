import pytest

from claude_proxy.config import load
from claude_proxy.credentials.chain import CredentialChain
from claude_proxy.upstream.anthropic import AnthropicBackend
from claude_proxy.upstream.auto import AutoBackend
from claude_proxy.upstream.claude_cli.backend import ClaudeCliBackend
from claude_proxy.upstream.factory import BACKENDS, make_backend


@pytest.mark.parametrize(
    ("settings", "kind"),
    [
        ({}, AutoBackend),
        ({"backend": "auto"}, AutoBackend),
        ({"backend": "direct"}, AnthropicBackend),
        ({"backend": "cli"}, ClaudeCliBackend),
        ({"backend": "cli", "simulator": True}, AnthropicBackend),
    ],
)
async def test_the_backend_is_the_one_that_the_settings_name(settings: dict[str, object], kind: type) -> None:
    config = load(settings, {})
    backend = make_backend(config, CredentialChain([], config), {})
    assert type(backend) is kind
    await backend.close()


def test_every_value_of_the_setting_is_a_row() -> None:
    assert BACKENDS.keys() == {"auto", "direct", "cli"}
