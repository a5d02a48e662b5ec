import json
from pathlib import Path

import pytest

from claude_proxy.upstream.claude_cli.environment import (
    CLOUDS,
    cloud_in,
    cloud_variables,
    process_environment,
    process_flags,
    settings_variables,
)

HOME = Path("/home/me")


@pytest.mark.parametrize(
    "name",
    [
        *("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "ANTHROPIC_BASE_URL", "ANTHROPIC_MODEL", "NODE_OPTIONS"),
        *("CLAUDE_CODE_OAUTH_TOKEN", "CLAUDE_CODE_USE_BEDROCK", "CLAUDE_CODE_EXTRA_BODY", "OPENAI_API_KEY"),
        *("LD_PRELOAD", "BUN_OPTIONS", "CLAUDE_PROXY_API_KEY_FILE", "AWS_SECRET_ACCESS_KEY"),
    ],
)
def test_what_would_change_account_address_or_code_does_not_reach_it(name: str) -> None:
    assert name not in process_environment({name: "x"}, HOME)


def test_home_locale_proxy_and_authorities_reach_it() -> None:
    given = {"HOME": "/h", "LC_ALL": "C", "HTTPS_PROXY": "http://p", "SSL_CERT_FILE": "/ca", "CLAUDE_CONFIG_DIR": "/c"}
    assert given.items() <= process_environment(given, HOME).items()
    assert process_environment({}, HOME)["HOME"] == "/home/me"


def test_the_base_url_is_only_that_of_the_settings() -> None:
    assert process_environment({}, HOME, base_url="http://127.0.0.1:1")["ANTHROPIC_BASE_URL"] == "http://127.0.0.1:1"


def test_our_variables_win_over_the_users() -> None:
    assert process_environment({"LC_X": "1"}, HOME)["CLAUDE_CODE_DISABLE_ATTACHMENTS"] == "1"


def test_the_flags_hold_no_prompt() -> None:
    assert "--model" not in process_flags(None)
    assert process_flags("claude-x")[-2:] == ["--model", "claude-x"]


def test_exactly_the_variables_of_a_cloud_are_handed_through() -> None:
    bedrock, vertex, _ = CLOUDS
    variables = {
        "CLAUDE_CODE_USE_BEDROCK": "1",
        "AWS_REGION": "eu-west-1",
        "ANTHROPIC_BEDROCK_BASE_URL": "http://x",
        "CLOUD_ML_REGION": "y",
        "ANTHROPIC_API_KEY": "z",
    }
    assert cloud_in(variables) is bedrock
    assert cloud_variables(bedrock, variables).keys() == variables.keys() - {"CLOUD_ML_REGION", "ANTHROPIC_API_KEY"}
    assert cloud_in({"CLAUDE_CODE_USE_VERTEX": "true"}) is vertex
    assert cloud_in({"CLAUDE_CODE_USE_BEDROCK": "0"}) is None


def test_the_env_block_of_the_settings_is_read(tmp_path: Path) -> None:
    file = tmp_path / "settings.json"
    file.write_text(json.dumps({"env": {"CLAUDE_CODE_USE_VERTEX": "1", "number": 1}}))
    assert settings_variables(file) == {"CLAUDE_CODE_USE_VERTEX": "1"}


@pytest.mark.parametrize("text", ["", "[", "[]", '{"env": 1}', "{}"])
def test_settings_that_hold_none_are_empty(tmp_path: Path, text: str) -> None:
    file = tmp_path / "settings.json"
    assert settings_variables(file) == {}
    file.write_text(text)
    assert settings_variables(file) == {}
