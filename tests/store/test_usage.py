import sqlite3
import time
from pathlib import Path

import msgspec
import pytest

from claude_proxy.errors import StoreError
from claude_proxy.store import usage
from claude_proxy.store.database import read_only
from claude_proxy.store.store import Limits, Store
from claude_proxy.store.usage import UsageRow
from tests.store.conftest import NOW, Clock, response

DAY = 86400.0


def row(number: float = 0.0, **fields: object) -> UsageRow:
    known: dict[str, object] = {
        "time": NOW + number,
        "client": "curl",
        "dialect": "chat",
        "model": "claude-sonnet-5",
        "backend": "anthropic",
        "status": 200,
        "error": None,
        "input_tokens": 10,
        "cache_read_tokens": 200,
        "cache_write_tokens": 3000,
        "cache_write_1h_tokens": None,
        "output_tokens": 40000,
        "web_searches": None,
        "speed": "standard",
        "first_token": 0.5,
        "duration": 1.5,
        "choices": 1,
        "upstream_requests": 1,
        "plan": False,
    }
    return UsageRow(**{**known, **fields})  # type: ignore[arg-type] # as the test gives them


def rows_in(file: Path, since: float = -1e12, until: float = 1e12) -> list[UsageRow]:
    with read_only(file) as connection:
        return list(usage.between(connection, since, until))


async def test_rows_come_back_as_they_were_with_what_is_unknown(store: Store, file: Path):
    unknown = {name: None for name in UsageRow.__struct_fields__ if "token" in name or name in ("model", "plan")}
    rows = [row(0), row(1, plan=True), row(2, status=None, error="client_left", **unknown)]
    await store.usage.add(rows)
    assert rows_in(file) == rows
    assert await store.usage.read(lambda connection: list(usage.between(connection, NOW + 1, NOW + 2))) == rows[1:2]


@pytest.mark.parametrize("count", [0, 1, 49, 50, 51, 137])
async def test_a_batch_of_any_size_is_added_in_its_order(count: int, store: Store, file: Path):
    rows = [row(number, client=f"client {number}") for number in range(count)]
    await store.usage.add(rows)
    assert rows_in(file) == rows


def test_tokens_are_the_sum_of_what_is_known():
    assert row().prompt_tokens == 3210
    assert row().tokens == 43210
    assert row(cache_read_tokens=None, cache_write_tokens=None).tokens == 40010
    nothing = row(input_tokens=None, cache_read_tokens=None, cache_write_tokens=None, output_tokens=None)
    assert nothing.tokens is None


async def test_a_batch_is_added_whole_or_not_at_all(store: Store, file: Path):
    with pytest.raises(StoreError):
        await store.usage.add([row(1), row(2, client=None)])
    await store.usage.add([row(3)])
    assert [each.time for each in rows_in(file)] == [NOW + 3]


async def test_the_rows_of_a_month_stay_even_where_stored_responses_are_kept_for_a_day(file: Path, clock: Clock):
    store = Store(file, Limits(max_age=DAY), clock=clock)
    await store.usage.add([row(-40 * DAY), row(-31 * DAY)])
    await store.responses.put(response(1, created_at=NOW - 2 * DAY))
    clock.now += DAY / 2
    await store.usage.add([row(1)])
    assert [each.time for each in rows_in(file)] == [NOW - 31 * DAY, NOW + 1]
    assert await store.responses.get("resp_1") is None
    await store.close()


async def test_rows_are_kept_as_long_as_the_store_keeps_anything(file: Path, clock: Clock):
    store = Store(file, Limits(max_age=100 * DAY), clock=clock)
    await store.usage.add([row(-99 * DAY), row(-101 * DAY)])
    clock.now += 3600
    await store.usage.add([row(1)])
    assert [each.time for each in rows_in(file)] == [NOW - 99 * DAY, NOW + 1]
    await store.close()


async def test_the_oldest_rows_go_first_when_the_file_is_too_large(store: Store, file: Path):
    await store.usage.add([row(number) for number in range(5)])
    assert await store.write(lambda connection: usage.evict(connection, 2)) == 2
    assert [each.time for each in rows_in(file)] == [NOW + 2, NOW + 3, NOW + 4]


async def test_a_file_of_a_version_without_a_ledger_gets_one(file: Path, clock: Clock):
    from claude_proxy.store.store import SCHEMAS

    older = Store(file, schemas=SCHEMAS[:-1], clock=clock)
    await older.responses.put(response(1))
    await older.close()
    store = Store(file, clock=clock)
    await store.usage.add([row()])
    assert rows_in(file) == [row()]
    assert await store.responses.get("resp_1") == response(1)
    await store.close()


async def test_ten_thousand_rows_are_read_within_a_second(store: Store, file: Path):
    await store.usage.add([row(number) for number in range(10_000)])
    began = time.process_time()
    assert len(rows_in(file)) == 10_000
    assert time.process_time() - began < 1


def test_no_column_has_room_for_content(tmp_path: Path):
    connection = sqlite3.connect(tmp_path / "a")
    for statement in usage.SCHEMA.migrations[0]:
        connection.execute(statement)
    texts = {name for _, name, kind, *_ in connection.execute("PRAGMA table_info(usage)") if kind == "TEXT"}
    assert texts == {"client", "dialect", "model", "backend", "error", "speed"}
    assert {name for _, name, *_ in connection.execute("PRAGMA table_info(usage)")} == {
        "id",
        *msgspec.structs.asdict(row()),
    }
    connection.close()
