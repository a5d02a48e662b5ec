import asyncio
import logging
from collections.abc import Sequence

import pytest

from claude_proxy.dialects.base import ErrorReport
from claude_proxy.dialects.chat.dialect import CHAT
from claude_proxy.errors import NoCredential, StoreError
from claude_proxy.server import metering
from claude_proxy.server.exchange import Exchange
from claude_proxy.server.metering import UsageMeter, row_of
from claude_proxy.store.usage import UsageRow
from claude_proxy.upstream.base import Identity
from claude_proxy.wire.anthropic import CacheCreation, ServerToolUse, Usage


class Ledger:
    """In memory; fails as long as `broken` holds an error."""

    def __init__(self) -> None:
        self.rows: list[UsageRow] = []
        self.broken: StoreError | None = None
        self.added = asyncio.Event()

    async def add(self, rows: Sequence[UsageRow]) -> None:
        await asyncio.sleep(0)
        if self.broken is not None:
            raise self.broken
        self.rows += rows
        self.added.set()


def exchange(**fields: object) -> Exchange:
    known: dict[str, object] = {
        "started": 100.0,
        "ended": 102.0,
        "metered": True,
        "status": 200,
        "backend": "anthropic",
    }
    return Exchange("req_1", "POST", "/v1/chat/completions", "curl", CHAT, **{**known, **fields})  # type: ignore[arg-type]


def meter(ledger: Ledger | None = None, **fields: object) -> UsageMeter:
    return UsageMeter(ledger, clock=lambda: 1000.0, **fields)  # type: ignore[arg-type]


def told(counter: UsageMeter) -> tuple[str | None, int]:
    return counter.problem, counter.lost


def test_a_row_has_what_the_request_has_told():
    usage = Usage(1, 2, 3, 4, speed="fast", cache_creation=CacheCreation(2), server_tool_use=ServerToolUse(5))
    ended = exchange(upstream_model="claude-opus-5", first_byte=100.5, usage=usage, choices=2, upstream_requests=3)
    assert row_of(ended, 1000.0) == UsageRow(
        998.0, "curl", "chat", "claude-opus-5", "anthropic", 200, None, 1, 3, 2, 2, 4, 5, "fast", 0.5, 2.0, 2, 3
    )


def test_what_upstream_has_not_told_is_unknown():
    row = row_of(exchange(status=None, left=True), 1000.0)
    assert (row.input_tokens, row.output_tokens, row.cache_read_tokens, row.cache_write_tokens) == (None,) * 4
    assert (row.model, row.first_token, row.status, row.error) == (None, None, None, "client_left")


@pytest.mark.parametrize(("code", "expected"), [("rate_limit_exceeded", "rate_limit_exceeded"), (None, "requests")])
def test_an_error_is_known_by_its_code_and_never_by_its_message(code: str | None, expected: str):
    row = row_of(exchange(error=ErrorReport(429, "requests", code, "a message with a prompt")), 1000.0)
    assert row.error == expected


def test_the_name_of_a_model_is_cut():
    assert row_of(exchange(upstream_model="m" * 1000), 0.0).model == "m" * 100


async def test_only_requests_to_a_model_are_recorded():
    ledger = Ledger()
    counter = meter(ledger)
    counter(exchange(metered=False))
    counter(exchange())
    await counter.written()
    assert len(ledger.rows) == 1


async def test_consumers_get_each_row_once_and_the_ledger_too():
    seen: list[UsageRow] = []
    ledger = Ledger()
    counter = meter(ledger, consumers=[seen.extend])
    for _ in range(3):
        counter(exchange())
    counter.flush()
    assert len(seen) == 3
    counter(exchange())
    await counter.close()
    assert len(seen) == len(ledger.rows) == 4


async def test_rows_are_written_without_being_asked_for(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(metering, "INTERVAL", 0.0)
    ledger, seen = Ledger(), asyncio.Event()
    counter = meter(ledger, consumers=[lambda _: seen.set()])
    counter(exchange())
    await asyncio.wait_for(seen.wait(), 10)
    await counter.close()
    assert len(ledger.rows) == 1


@pytest.mark.parametrize(
    ("identity", "plan"),
    [
        (Identity("anthropic", "Claude CLI login", "oauth", "max"), True),
        (Identity("anthropic", "ANTHROPIC_API_KEY", "api_key"), False),
        (Identity("anthropic", "Anthropic profile default", "oauth"), False),
        (Identity("another", "Claude CLI login", "oauth", "max"), None),
    ],
)
async def test_who_paid_is_known_for_requests_that_the_backend_in_use_has_answered(
    identity: Identity, plan: bool | None
):
    async def identify() -> Identity:
        return identity

    ledger = Ledger()
    counter = meter(ledger, identify=identify)
    counter(exchange())
    await counter.close()
    assert [row.plan for row in ledger.rows] == [plan]


async def test_without_a_credential_it_is_not_known_who_paid():
    async def identify() -> Identity:
        raise NoCredential("none")

    ledger = Ledger()
    counter = meter(ledger, identify=identify)
    counter(exchange())
    await counter.close()
    assert [row.plan for row in ledger.rows] == [None]


async def test_a_ledger_that_cannot_be_written_is_reported_once_and_loses_nothing_meanwhile(
    caplog: pytest.LogCaptureFixture,
):
    ledger = Ledger()
    ledger.broken = StoreError("the store cannot be used: the disk is full", code="store_full")
    counter = meter(ledger)
    for _ in range(3):
        counter(exchange())
        await counter.written()
    assert told(counter) == ("the store cannot be used: the disk is full", 0)
    assert [each.levelno for each in caplog.records] == [logging.WARNING]
    ledger.broken = None
    await counter.written()
    assert len(ledger.rows) == 3
    assert told(counter) == (None, 0)


async def test_a_failed_write_is_tried_again_without_a_further_request(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(metering, "RETRY_INTERVAL", 0.0)
    ledger = Ledger()
    ledger.broken = StoreError("locked")
    counter = meter(ledger)
    counter(exchange())
    await counter.written()
    ledger.broken = None
    await asyncio.wait_for(ledger.added.wait(), 10)
    await counter.close()
    assert len(ledger.rows) == 1


async def test_what_waits_is_bounded_and_what_is_lost_is_counted(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    monkeypatch.setattr(metering, "MAX_WAITING", 5)
    ledger = Ledger()
    ledger.broken = StoreError("locked")
    counter = meter(ledger)
    for _ in range(8):
        counter(exchange())
    await counter.written()
    assert counter.lost == 3
    await counter.close()
    assert caplog.messages[-1] == "8 requests are missing from the usage ledger"


async def test_without_a_ledger_the_consumers_are_told_all_the_same():
    seen: list[UsageRow] = []
    counter = meter(consumers=[seen.extend])
    counter(exchange())
    await counter.close()
    assert len(seen) == 1
