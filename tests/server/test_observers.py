import logging

import pytest

from claude_proxy.dialects.api import OPENAI
from claude_proxy.dialects.base import ErrorReport
from claude_proxy.server.exchange import Exchange
from claude_proxy.server.observers import LogRateLimit, RequestLog
from claude_proxy.wire.anthropic import Usage
from tests.server.conftest import Serve


def test_a_text_that_a_client_has_chosen_is_cut_and_escaped(caplog: pytest.LogCaptureFixture) -> None:
    exchange = Exchange("req_1", "POST", "/x", "curl", OPENAI, model="\u202e\n" + "m" * 12_000_000)
    exchange.upstream_model, exchange.warnings = "u" * 9000, ("w" * 9000,)
    exchange.error = ErrorReport(400, "x", None, "e\n" * 9000)
    with caplog.at_level(logging.INFO):
        RequestLog()(exchange)
    assert len(caplog.messages[0]) < 2500
    assert "\n" not in caplog.messages[0]
    assert "\u202e" not in caplog.messages[0]


def test_the_line_of_a_request_tells_what_is_known(caplog: pytest.LogCaptureFixture) -> None:
    exchange = Exchange("req_1", "POST", "/x", "curl", OPENAI, model="sonnet", upstream_model="claude-sonnet-5")
    exchange.status, exchange.first_byte, exchange.usage = 200, exchange.started + 0.25, Usage(2, 1)
    exchange.warnings = ("seed", "logit_bias")
    with caplog.at_level(logging.INFO):
        RequestLog()(exchange)
    line = caplog.messages[0]
    for part in ("POST /x id=req_1", "client=curl", "model=sonnet", "upstream_model=claude-sonnet-5", "status=200",
                 "first_byte_ms=250", "input_tokens=3", "warnings=seed,logit_bias"):  # fmt: skip
        assert part in line
    assert "output_tokens" not in line
    assert caplog.records[0].__dict__["fields"]["status"] == 200


def test_a_probe_is_quiet_unless_it_fails(caplog: pytest.LogCaptureFixture) -> None:
    exchange = Exchange("req_1", "GET", "/health", "curl", OPENAI, quiet=True)
    with caplog.at_level(logging.INFO):
        RequestLog()(exchange)
        assert caplog.messages == []
        exchange.error = ErrorReport(403, "x", None, "no")
        RequestLog()(exchange)
    assert len(caplog.messages) == 1


async def test_the_names_of_clients_are_bounded(serve: Serve) -> None:
    async with serve() as served:
        for number in range(100):
            await served.client.get("/openai/v1/models", headers={"User-Agent": f"client-{number}"})
        assert len(served.state.counters.clients) <= 65
        assert served.state.counters.clients["others"] == 36
        assert served.state.counters.served == 100


def test_many_refusals_are_a_few_lines_and_a_count(caplog: pytest.LogCaptureFixture) -> None:
    now = 0.0
    refusals = LogRateLimit(limit=2, clock=lambda: now)
    assert [refusals.is_exceeded() for _ in range(5)] == [False, False, True, True, True]
    now = 60.0
    assert not refusals.is_exceeded()
    assert caplog.messages == ["3 more requests were refused within a minute"]


async def test_refusals_do_not_fill_the_log(serve: Serve, caplog: pytest.LogCaptureFixture) -> None:
    async with serve() as served:
        with caplog.at_level(logging.INFO, "claude_proxy.requests"):
            for _ in range(60):
                assert (await served.client.get("/", headers={"Origin": "https://evil.com"})).status == 403
    assert 20 <= sum("status=403" in line for line in caplog.messages) <= 40
