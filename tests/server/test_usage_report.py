import time
from datetime import datetime

import msgspec
import pytest

from claude_proxy.errors import InvalidRequest
from claude_proxy.server.usage_report import begin_of, grouping, report
from claude_proxy.store.usage import UsageRow
from tests.store.test_usage import row as plain_row

NOON = datetime(2026, 11, 20, 12).astimezone().timestamp()
DAY = 86400.0
KEYS = [
    "requests",
    "errors",
    "input_tokens",
    "cache_read_tokens",
    "cache_write_tokens",
    "output_tokens",
    "cost_usd",
]


def row(**fields: object) -> UsageRow:
    return plain_row(0, **{"time": NOON, "model": "claude-opus-5-5", **fields})


def unknown(**fields: object) -> UsageRow:
    names = ("input_tokens", "cache_read_tokens", "cache_write_tokens", "output_tokens")
    return row(**dict.fromkeys(names), **fields)


def test_the_json_has_the_keys_of_the_contract():
    found = msgspec.to_builtins(report([row()], NOON - 1, NOON + 1, "model"))
    assert list(found) == ["since", "until", "by", "rows", "total"]
    assert sorted(found["rows"][0]) == sorted(["key", *KEYS])
    assert sorted(found["total"]) == sorted(KEYS)
    assert datetime.fromisoformat(found["since"]).timestamp() == NOON - 1
    assert datetime.fromisoformat(found["until"]).timestamp() == NOON + 1


def test_requests_are_summed_up_by_model_the_most_used_first():
    rows = [row(model="a"), row(), row(output_tokens=2), row(model=None, error="not_found")]
    found = report(rows, NOON, NOON + 1, "model")
    assert [(each.key, each.requests, each.errors) for each in found.rows] == [
        ("claude-opus-5-5", 2, 0),
        ("a", 1, 0),
        ("unknown", 1, 1),
    ]
    assert found.rows[0].output_tokens == 40002
    assert found.total.requests == 4
    assert found.total.input_tokens == 40


def test_days_are_local_and_in_order():
    rows = [row(time=NOON), row(time=NOON - 2 * DAY), row(time=NOON)]
    found = report(rows, NOON - 3 * DAY, NOON + 1, "day")
    assert [(each.key, each.requests) for each in found.rows] == [("2026-11-18", 1), ("2026-11-20", 2)]


def test_a_client_that_left_is_no_error():
    found = report([row(error="client_left"), row(error="timeout", client="b")], NOON, NOON + 1, "client")
    assert [(each.key, each.errors) for each in found.rows] == [("b", 1), ("curl", 0)]


def test_costs_are_summed_up_and_unknown_where_a_price_is():
    found = report([row(), row(), row(model="claude-of-tomorrow")], NOON, NOON + 1, "model")
    # 10 input, 200 from the cache, 3000 to it, 40000 output, at $4, $0.2, $5 and $20 a million
    assert found.rows[0].cost_usd == pytest.approx(2 * 0.81508)
    assert found.rows[1].cost_usd is None
    assert found.total.cost_usd is None


def test_what_is_not_known_is_left_out_of_sums_and_alone_it_is_null():
    found = report([row(), unknown(), unknown(client="b", error="timeout")], NOON, NOON + 1, "client")
    assert [each.input_tokens for each in found.rows] == [10, None]
    assert found.total.input_tokens == 10
    assert found.total.cost_usd == pytest.approx(0.81508)


def test_without_a_request_every_sum_is_zero():
    found = msgspec.to_builtins(report([], NOON, NOON + 1, "day"))
    assert found["rows"] == []
    assert set(found["total"].values()) == {0}


@pytest.mark.parametrize(
    ("text", "seconds"), [("90m", 90 * 60), ("12h", 12 * 3600), ("7d", 7 * DAY), ("2w", 14 * DAY), ("999999w", NOON)]
)
def test_a_time_ago(text: str, seconds: float):
    assert begin_of(text, NOON) == NOON - seconds


def test_a_date_is_its_local_midnight_and_a_time_may_have_a_zone():
    assert time.localtime(begin_of("2026-11-01", NOON))[:5] == (2026, 11, 1, 0, 0)
    assert begin_of("2026-11-01T10:00:00+00:00", NOON) == 1793527200.0


@pytest.mark.parametrize("text", ["", "7", "d", "-7d", "yesterday", "2026-13-01", "7d; DROP TABLE usage", "9" * 100])
def test_another_time_is_refused(text: str):
    with pytest.raises(InvalidRequest) as caught:
        begin_of(text, NOON)
    assert caught.value.param == "since"


def test_another_grouping_is_refused():
    assert grouping("client") == "client"
    with pytest.raises(InvalidRequest):
        grouping("hour")
