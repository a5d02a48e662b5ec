import pytest

from claude_proxy.dialects.api import OPENAI
from claude_proxy.server.exchange import Exchange, client_name


@pytest.mark.parametrize(
    ("user_agent", "name"),
    [
        ("OpenAI/Python 3.54.0", "OpenAI/Python"),
        ("AsyncOpenAI/JS 6.49.0", "AsyncOpenAI/JS"),
        ("curl/8.5.0", "curl"),
        ("claude-cli/2.1.0 (external, cli)", "claude-cli"),
        ("codex_cli_rs/v0.169", "codex_cli_rs"),
        ("Mozilla/5.0 (X11)", "Mozilla"),
        ("", "unknown"),
        ("\u2028 forged", "unknown"),
        ("x" * 500, "x" * 40),
    ],
)
def test_a_client_is_named_without_its_version(user_agent: str, name: str) -> None:
    assert client_name(user_agent) == name


def test_the_duration_runs_until_the_end() -> None:
    exchange = Exchange("req_1", "POST", "/x", "curl", OPENAI, started=100.0)
    assert exchange.duration > 0
    exchange.ended = 100.5
    assert exchange.duration == 0.5
