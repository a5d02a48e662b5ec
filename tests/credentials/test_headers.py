import pytest

from claude_proxy import config
from claude_proxy.credentials.base import Credential, Secret
from claude_proxy.credentials.headers import auth_headers, may_go_to
from claude_proxy.errors import CredentialUnusable

STORED = Credential("oauth", Secret("token"), "Claude CLI login", stored_login=True)
FROM_ENVIRONMENT = Credential("api_key", Secret("key"), "ANTHROPIC_API_KEY", follows_base_url=True)
GATEWAY = "https://gateway.example/anthropic"


@pytest.mark.parametrize(
    ("kind", "headers"),
    [
        ("api_key", {"x-api-key": "text"}),
        ("auth_token", {"authorization": "Bearer text"}),
        ("oauth", {"authorization": "Bearer text", "anthropic-beta": "oauth-2025-04-20"}),
    ],
)
def test_each_kind_has_its_header(kind, headers):
    assert auth_headers(Credential(kind, Secret("text"), "test")) == headers


def test_a_workspace_is_named():
    headers = auth_headers(Credential("oauth", Secret("text"), "test", workspace="wrkspc_1"))
    assert headers["anthropic-workspace-id"] == "wrkspc_1"


@pytest.mark.parametrize(
    "url", ["https://api.anthropic.com", "https://api.anthropic.com/v1", "http://127.0.0.1:9", "https://localhost"]
)
def test_a_stored_login_goes_to_anthropic_and_to_this_machine(url: str):
    may_go_to(STORED, config.load({}, {"ANTHROPIC_BASE_URL": url}))


@pytest.mark.parametrize(
    "url", [GATEWAY, "https://api.anthropic.com.evil.example", "https://evil.example/api.anthropic.com"]
)
@pytest.mark.parametrize("variable", ["ANTHROPIC_BASE_URL", "CLAUDE_PROXY_BASE_URL"])
def test_a_stored_login_does_not_follow_the_environment(url: str, variable: str):
    with pytest.raises(CredentialUnusable) as caught:
        may_go_to(STORED, config.load({}, {variable: url}))
    assert "Claude CLI login" in caught.value.message
    assert "--base-url" in caught.value.text


def test_a_stored_login_goes_where_a_flag_says():
    may_go_to(STORED, config.load({"base_url": GATEWAY}, {}))


def test_a_stored_login_goes_where_the_users_file_says(tmp_path):
    file = tmp_path / "config.toml"
    file.write_text(f'base_url = "{GATEWAY}"\n')
    may_go_to(STORED, config.load({}, {}, file))


def test_a_stored_login_never_goes_out_unencrypted():
    unchecked = config.Config(base_url="http://api.anthropic.com")
    with pytest.raises(CredentialUnusable):
        may_go_to(STORED, unchecked)


def test_a_key_from_the_environment_follows_the_environment():
    may_go_to(FROM_ENVIRONMENT, config.load({}, {"ANTHROPIC_BASE_URL": GATEWAY}))
