import logging

import pytest

from claude_proxy.server.exchange import Burst, Exchange, client_name
from tests.server.conftest import Serve


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


def test_the_line_of_a_request_tells_what_is_known(caplog: pytest.LogCaptureFixture) -> None:
    exchange = Exchange("req_1", "POST", "/x", "curl", "openai", model="sonnet", upstream_model="claude-sonnet-5")
    exchange.status, exchange.first_byte, exchange.input_tokens = 200, exchange.started + 0.25, 3
    exchange.warnings = ("seed", "logit_bias")
    with caplog.at_level(logging.INFO):
        exchange.log_end()
    line = caplog.messages[0]
    for part in ("POST /x id=req_1", "client=curl", "model=sonnet", "upstream_model=claude-sonnet-5", "status=200",
                 "first_byte_ms=250", "input_tokens=3", "warnings=seed,logit_bias"):  # fmt: skip
        assert part in line
    assert "output_tokens" not in line
    assert caplog.records[0].__dict__["fields"]["status"] == 200


def test_a_probe_is_quiet_unless_it_fails(caplog: pytest.LogCaptureFixture) -> None:
    exchange = Exchange("req_1", "GET", "/health", "curl", "openai", quiet=True)
    with caplog.at_level(logging.INFO):
        exchange.log_end()
        assert caplog.messages == []
        exchange.error = "403"
        exchange.log_end()
    assert len(caplog.messages) == 1


async def test_the_names_of_clients_are_bounded(serve: Serve) -> None:
    async with serve() as served:
        for number in range(100):
            await served.client.get("/openai/v1/models", headers={"User-Agent": f"client-{number}"})
        assert len(served.state.clients) <= 65
        assert served.state.clients["others"] == 36
        assert served.state.served == 100


def test_a_burst_of_refusals_is_a_few_lines_and_a_count(caplog: pytest.LogCaptureFixture) -> None:
    now = 0.0
    burst = Burst(limit=2, clock=lambda: now)
    assert [burst.is_over() for _ in range(5)] == [False, False, True, True, True]
    now = 60.0
    assert not burst.is_over()
    assert caplog.messages == ["3 more requests were refused within a minute"]


async def test_a_page_that_keeps_knocking_does_not_fill_the_log(serve: Serve, caplog: pytest.LogCaptureFixture) -> None:
    async with serve() as served:
        with caplog.at_level(logging.INFO, "claude_proxy.requests"):
            for _ in range(60):
                assert (await served.client.get("/", headers={"Origin": "https://evil.com"})).status == 403
    assert 20 <= sum("status=403" in line for line in caplog.messages) <= 40
