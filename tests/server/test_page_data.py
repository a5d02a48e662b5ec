from typing import Any

import pytest

from claude_proxy.errors import InvalidRequest, StoreError
from claude_proxy.server.page_data import RANGES, figures, series, summed_up
from claude_proxy.store.usage import CLIENT_LEFT, UsageRow
from tests.server.conftest import Serve

NOW = 1_000_000.0


def row(time: float, **facts: Any) -> UsageRow:
    known: dict[str, Any] = {
        "time": time,
        "client": "curl",
        "dialect": "chat",
        "model": "claude-sonnet-5",
        "backend": "anthropic",
        "status": 200,
        "error": None,
        "input_tokens": 10,
        "cache_read_tokens": 0,
        "cache_write_tokens": 0,
        "cache_write_1h_tokens": None,
        "output_tokens": 5,
        "web_searches": None,
        "speed": None,
        "first_token": 1.0,
        "duration": 2.0,
        "choices": 1,
        "upstream_requests": 1,
    }
    return UsageRow(**{**known, **facts})


def test_each_interval_has_the_sums_of_its_requests() -> None:
    rows = [row(0.0), row(59.0, first_token=3.0), row(61.0, error="rate_limit_exceeded"), row(179.9, error=CLIENT_LEFT)]
    points = series(rows, 0.0, 3, 60)
    assert [(point.at, point.requests, point.errors, point.tokens) for point in points] == [
        (0.0, 2, 0, 30), (60.0, 1, 1, 15), (120.0, 1, 0, 15),
    ]  # fmt: skip
    assert [point.first_token for point in points] == [2.0, None, None]


def test_tokens_of_a_request_that_told_none_are_unknown_and_those_of_no_request_zero() -> None:
    nothing = row(0.0, input_tokens=None, cache_read_tokens=None, cache_write_tokens=None, output_tokens=None)
    assert [point.tokens for point in series([nothing], 0.0, 2, 60)] == [None, 0]


@pytest.mark.parametrize("name", RANGES)
def test_the_points_of_a_range_add_up_to_its_total(name: str) -> None:
    count, step = RANGES[name]
    rows = [row(NOW - count * step * share) for share in (0.01, 0.5, 0.99)]
    found = summed_up(rows, NOW, name)
    assert len(found.points) == count
    assert sum(point.tokens or 0 for point in found.points) == 45
    assert (found.total.input_tokens, found.total.output_tokens) == (30, 15)
    assert [(group.key, group.requests) for group in found.by_model] == [("claude-sonnet-5", 3)]
    assert [(group.key, group.requests) for group in found.by_client] == [("curl", 3)]


@pytest.mark.parametrize(
    ("plans", "known"), [((True, True), True), ((False,), False), ((True, False), None), ((), None)]
)
def test_who_paid_is_known_only_where_it_is_the_same_for_all(plans: tuple[bool, ...], known: bool | None) -> None:
    assert summed_up([row(NOW - 1, plan=plan) for plan in plans], NOW, "hour").plan is known


async def test_without_a_ledger_the_figures_are_unknown(serve: Serve) -> None:
    async with serve() as served:
        found = await figures(served.state, "hour")
    assert not found.known
    assert "not recorded" in (found.problem or "")


class Broken:
    async def add(self, rows: object) -> None:
        raise StoreError("the disk is full")

    async def read(self, work: object) -> Any:
        raise StoreError("the disk is full")


async def test_a_ledger_that_cannot_be_read_is_told(serve: Serve) -> None:
    async with serve() as served:
        served.state.meter.ledger = Broken()
        found = await figures(served.state, "day")
    assert not found.known
    assert "the disk is full" in (found.problem or "")


async def test_an_unknown_range_is_refused(serve: Serve) -> None:
    async with serve() as served:
        with pytest.raises(InvalidRequest, match="hour, day, month"):
            await figures(served.state, "year")
