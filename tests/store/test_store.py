import asyncio
import sqlite3
from pathlib import Path

import pytest

from claude_proxy.errors import StoreError
from claude_proxy.store import store as room
from claude_proxy.store.conversations import Conversation
from claude_proxy.store.database import file_size
from claude_proxy.store.paging import Item
from claude_proxy.store.runs import RunEvent
from claude_proxy.store.schema import Schema
from claude_proxy.store.store import SCHEMAS, Limits, Stats, Store, purge_file
from tests.store.conftest import NOW, Clock, response

MEGABYTE = 1024 * 1024


async def listed(store: Store) -> list[str]:
    return [each.id for each in await store.responses.newest(1000)]


async def test_the_size_of_the_files_stays_below_the_bound_and_the_newest_are_kept(file: Path, clock: Clock):
    store = Store(file, Limits(max_size=24 * MEGABYTE), clock=clock)
    largest = 0
    for number in range(120):
        await store.responses.put(response(number, input=b'["' + b"x" * 300_000 + b'"]'))
        largest = max(largest, file_size(file))
    kept = await listed(store)
    assert largest <= 24 * MEGABYTE
    assert len(kept) > 40
    assert kept == [f"resp_{number}" for number in range(119, 119 - len(kept), -1)]
    with pytest.raises(StoreError, match="too many"):
        await store.responses.put(response(200, input=b"x" * 7 * MEGABYTE))
    await store.close()


async def test_a_chain_whose_beginning_was_evicted_says_so(file: Path, clock: Clock):
    store = Store(file, Limits(max_size=4 * MEGABYTE), clock=clock)
    for number in range(60):
        previous = number - 1 if number else None
        await store.responses.put(response(number, previous, input=b'["' + b"x" * 100_000 + b'"]'))
    chain = await store.responses.chain("resp_59")
    assert chain is not None
    assert not chain.complete
    assert 1 < len(chain.links) < 60
    await store.close()


async def test_conversations_are_evicted_after_responses(file: Path, clock: Clock):
    store = Store(file, Limits(max_size=4 * MEGABYTE), clock=clock)
    await store.responses.put(response(1))
    for number in range(60):
        clock.now += 1
        item = Item("", b"x" * 100_000)
        await store.conversations.create(Conversation(f"conv_{number}", clock.now, b"{}"), [item])
    assert await listed(store) == []
    assert await store.conversations.get("conv_59") is not None
    assert await store.conversations.get("conv_0") is None
    await store.close()


async def test_what_is_too_old_is_deleted_and_what_newer_responses_continue_is_kept(file: Path, clock: Clock):
    store = Store(file, Limits(max_age=100), clock=clock)
    for number, previous in ((1, None), (2, None), (3, 2), (150, 3)):
        await store.responses.put(response(number, previous))
    await store.conversations.create(Conversation("conv_1", NOW, b"{}"))
    await store.responses.put(response(690, 150))
    clock.now = NOW + 700
    await store.write(lambda _: None)
    assert await listed(store) == ["resp_690"]
    chain = await store.responses.chain("resp_690")
    assert chain is not None
    assert [link.id for link in chain.links] == ["resp_2", "resp_3", "resp_150", "resp_690"]
    assert await store.conversations.get("conv_1") is None
    await store.close()


async def test_many_old_rows_are_deleted_in_several_transactions(
    file: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(room, "EXPIRY_ROWS", 2)
    store = Store(file, Limits(max_age=100), clock=clock)
    for number in range(5):
        await store.responses.put(response(number))
    clock.now = NOW + 1000
    counts = []
    for _ in range(4):
        await store.write(lambda _: None)
        counts.append(len(await listed(store)))
    assert counts == [3, 1, 0, 0]
    await store.close()


async def test_without_limits_everything_is_kept(store: Store, clock: Clock):
    await store.responses.put(response(1))
    clock.now += 1e9
    await store.responses.put(response(2))
    assert await listed(store) == ["resp_2", "resp_1"]


async def test_deleted_content_leaves_the_log_when_the_store_is_idle(
    file: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
):
    store = Store(file, Limits(), clock=clock)
    secret = b"a very private question " * 1000
    await store.responses.put(response(1, input=b'["' + secret + b'"]'))
    await store.responses.delete("resp_1")
    await store.write(lambda connection: None)
    log = Path(f"{file}-wal")
    assert secret[:30] in await asyncio.to_thread(log.read_bytes)
    store._writer._on_idle()
    assert secret[:30] not in await asyncio.to_thread(log.read_bytes)
    assert secret[:30] not in await asyncio.to_thread(file.read_bytes)
    await store.close()


async def test_the_figures_are_those_of_what_can_be_read(store: Store, file: Path):
    assert (await store.stats()).oldest is None
    for number, previous in ((1, None), (2, 1), (3, None)):
        await store.responses.put(response(number, previous))
    await store.responses.delete("resp_1")
    await store.conversations.create(Conversation("conv_1", 1.0, b"{}"))
    assert await store.stats() == Stats(responses=2, conversations=1, bytes=file_size(file), oldest=NOW + 2)


async def test_purging_deletes_everything_and_its_content_on_the_disk(store: Store, file: Path):
    secret = b"a very private question " * 1000
    await store.responses.put(response(1, input=b'["' + secret + b'"]'))
    await store.runs.append_events("resp_1", [RunEvent(0, secret)])
    await store.conversations.create(Conversation("conv_1", 1.0, secret), [Item("", secret)])
    assert await store.purge() == 2
    assert await listed(store) == []
    for path in await asyncio.to_thread(lambda: list(file.parent.iterdir())):
        assert secret[:30] not in await asyncio.to_thread(path.read_bytes)
    await store.responses.put(response(1))


async def test_another_process_can_purge_beside_a_running_store(store: Store, file: Path):
    await store.responses.put(response(1))
    assert await asyncio.to_thread(purge_file, file) == 1
    assert await listed(store) == []
    await store.responses.put(response(2))
    assert await listed(store) == ["resp_2"]


def test_purging_what_is_no_store_is_an_error(file: Path):
    file.parent.mkdir()
    file.write_bytes(b"not a database at all " * 100)
    with pytest.raises(StoreError, match="damaged"):
        purge_file(file)


async def test_opening_tells_at_once_that_the_file_cannot_be_used(tmp_path: Path):
    (tmp_path / "file").touch()
    store = Store(tmp_path / "file" / "store.sqlite3")
    with pytest.raises(StoreError):
        await store.open()
    with pytest.raises(StoreError):
        await store.responses.newest()
    await store.close()


async def test_a_closed_store_can_be_opened_again_and_has_everything(file: Path):
    store = Store(file)
    await store.open()
    puts = [asyncio.ensure_future(store.responses.put(response(number))) for number in range(20)]
    await asyncio.gather(*puts)
    await store.close()
    with pytest.raises(StoreError, match="closed"):
        await store.responses.newest()
    assert {path.name for path in await asyncio.to_thread(lambda: list(file.parent.iterdir()))} == {file.name}
    again = Store(file)
    assert len(await listed(again)) == 20
    await again.close()


async def test_another_module_keeps_a_table_of_its_own_in_the_file(file: Path):
    def add(connection: sqlite3.Connection) -> int:
        return connection.execute("INSERT INTO figures VALUES (7)").rowcount

    def total(connection: sqlite3.Connection) -> int:
        return sum(value for (value,) in connection.execute("SELECT value FROM figures"))

    figures = Schema("figures", (("CREATE TABLE figures (value INTEGER)",),))
    before = Store(file)
    await before.responses.put(response(1))
    await before.close()
    store = Store(file, schemas=(*SCHEMAS, figures))
    assert await store.write(add, size=8) == 1
    await store.write(add)
    assert await store.read(total) == 14
    assert await listed(store) == ["resp_1"]
    await store.close()
