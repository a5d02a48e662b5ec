import asyncio
import shutil
import sqlite3
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from claude_proxy.errors import StoreError
from claude_proxy.store import worker
from claude_proxy.store.database import Database
from claude_proxy.store.schema import Schema
from claude_proxy.store.worker import Reader, Work, Worker, Writer

NOTES = Schema("notes", (("CREATE TABLE notes (text TEXT UNIQUE)",),))


class Gate:
    """A job that holds the thread until it is opened."""

    def __init__(self) -> None:
        self.entered = threading.Event()
        self.opened = threading.Event()

    def __call__(self, _: sqlite3.Connection) -> None:
        self.entered.set()
        assert self.opened.wait(30)


class Maintenance:
    """Notes what it is called with, and fails when it is told to."""

    def __init__(self) -> None:
        self.calls: list[int] = []
        self.error: Exception | None = None
        self.called = threading.Event()

    def __call__(self, _: sqlite3.Connection, incoming: int) -> None:
        self.calls.append(incoming)
        if incoming < 0:
            self.called.set()
        if self.error is not None:
            raise self.error


@pytest.fixture
def database(file: Path) -> Database:
    return Database(file, [NOTES])


@pytest.fixture
def maintenance() -> Maintenance:
    return Maintenance()


@pytest.fixture
async def writer(database: Database, maintenance: Maintenance) -> AsyncIterator[Writer]:
    writer = Writer("writer", database, maintenance)
    yield writer
    ended(writer)


@pytest.fixture
async def reader(database: Database) -> AsyncIterator[Reader]:
    reader = Reader("reader", database)
    yield reader
    ended(reader)


def ended(thread: Worker) -> None:
    thread.close()
    thread.join(30)


def insert(text: str) -> Work[None]:
    def work(connection: sqlite3.Connection) -> None:
        connection.execute("INSERT INTO notes VALUES (?)", (text,))

    return work


def notes(connection: sqlite3.Connection) -> list[str]:
    return [text for (text,) in connection.execute("SELECT text FROM notes ORDER BY rowid")]


async def test_jobs_that_wait_are_written_in_one_batch_and_one_that_fails_takes_nothing_with_it(
    writer: Writer, reader: Reader, maintenance: Maintenance
):
    gate = Gate()
    first = writer.submit(gate)
    await asyncio.to_thread(gate.entered.wait, 30)
    jobs = [writer.submit(insert(text), 10) for text in ("a", "b", "a", "c")]
    gate.opened.set()
    await first
    done = await asyncio.gather(*jobs, return_exceptions=True)
    assert [type(each) for each in done] == [type(None), type(None), StoreError, type(None)]
    assert await reader.submit(notes) == ["a", "b", "c"]
    assert maintenance.calls == [0, 40]


async def test_a_full_queue_refuses_at_once(writer: Writer, monkeypatch: pytest.MonkeyPatch):
    gate = Gate()
    first = writer.submit(gate)
    await asyncio.to_thread(gate.entered.wait, 30)
    monkeypatch.setattr(worker, "MAX_BYTES", 100)
    second = writer.submit(insert("a"), 60)
    with pytest.raises(StoreError, match="keep up") as caught:
        writer.submit(insert("b"), 60)
    assert caught.value.code == "store_busy"
    monkeypatch.setattr(worker, "MAX_JOBS", 1)
    with pytest.raises(StoreError, match="keep up"):
        writer.submit(insert("c"))
    gate.opened.set()
    await asyncio.gather(first, second)


async def test_a_batch_is_bounded_in_bytes_and_a_job_above_the_bound_is_refused(
    database: Database, maintenance: Maintenance
):
    writer = Writer("writer", database, maintenance, max_batch_bytes=100)
    gate = Gate()
    jobs = [writer.submit(gate)]
    await asyncio.to_thread(gate.entered.wait, 30)
    jobs += [writer.submit(insert(text), 60) for text in "ab"]
    with pytest.raises(StoreError, match="too many"):
        writer.submit(insert("c"), 101)
    gate.opened.set()
    await asyncio.gather(*jobs)
    assert maintenance.calls == [0, 60, 60]
    ended(writer)


async def test_a_job_that_is_alone_runs_outside_of_a_transaction(writer: Writer):
    gate = Gate()
    jobs = [writer.submit(gate)]
    await asyncio.to_thread(gate.entered.wait, 30)
    seen: list[bool] = []
    jobs += [
        writer.submit(insert("a")),
        writer.submit(lambda connection: seen.append(connection.in_transaction), alone=True),
        writer.submit(lambda connection: seen.append(connection.in_transaction)),
    ]
    gate.opened.set()
    await asyncio.gather(*jobs)
    assert seen == [False, True]


def end_of_disk(connection: sqlite3.Connection) -> None:
    """Let the connection fail as on a full disk."""
    connection.execute("PRAGMA max_page_count = 20").fetchall()


async def test_a_job_too_large_for_the_disk_fails_alone(writer: Writer, reader: Reader):
    await writer.submit(insert("first"))
    gate = Gate()
    jobs = [writer.submit(gate)]
    await asyncio.to_thread(gate.entered.wait, 30)
    jobs += [
        writer.submit(end_of_disk, alone=True),
        writer.submit(insert("a")),
        writer.submit(insert("x" * 200_000)),
        writer.submit(insert("b")),
    ]
    gate.opened.set()
    done = await asyncio.gather(*jobs, return_exceptions=True)
    assert [getattr(each, "code", None) for each in done] == [None, None, None, "store_full", None]
    assert await reader.submit(notes) == ["first", "a", "b"]


async def test_a_reader_cannot_write(writer: Writer, reader: Reader):
    with pytest.raises(StoreError, match="readonly"):
        await reader.submit(insert("a"))


async def test_an_unexpected_error_reaches_the_caller_and_the_thread_goes_on(writer: Writer):
    with pytest.raises(ZeroDivisionError):
        await writer.submit(lambda _: 1 / 0)
    await writer.submit(insert("a"))


async def test_a_failing_maintenance_fails_the_batch(writer: Writer, maintenance: Maintenance):
    maintenance.error = sqlite3.OperationalError("no")
    with pytest.raises(StoreError, match="no"):
        await writer.submit(insert("a"))
    maintenance.error = None
    await writer.submit(insert("a"))


async def test_an_idle_writer_is_maintained_and_a_failure_there_harms_nothing(
    database: Database, maintenance: Maintenance
):
    writer = Writer("writer", database, maintenance, idle=0.001)
    await writer.submit(insert("a"))
    assert await asyncio.to_thread(maintenance.called.wait, 30)
    maintenance.error = sqlite3.OperationalError("no")
    maintenance.called.clear()
    assert await asyncio.to_thread(maintenance.called.wait, 30)
    maintenance.error = None
    await writer.submit(insert("b"))
    ended(writer)


async def test_a_file_that_was_removed_is_made_anew(writer: Writer, reader: Reader, file: Path):
    await writer.submit(insert("a"))
    assert await reader.submit(notes) == ["a"]
    await asyncio.to_thread(shutil.rmtree, file.parent)
    await writer.submit(insert("b"))
    assert await reader.submit(notes) == ["b"]


def overwrite_behind_the_first_page(file: Path) -> None:
    with file.open("r+b") as stream:
        stream.seek(4096)
        stream.write(b"\xff" * (file.stat().st_size - 4096))


async def test_damage_found_while_reading_moves_the_file_aside_and_the_store_goes_on(
    writer: Writer, reader: Reader, file: Path
):
    await writer.submit(insert("x" * 100_000))
    await writer.submit(lambda connection: connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall(), alone=True)
    await reader.submit(lambda connection: connection.execute("SELECT 1").fetchone())
    await asyncio.to_thread(overwrite_behind_the_first_page, file)
    with pytest.raises(StoreError, match="damaged"):
        await reader.submit(notes)
    await writer.submit(insert("new"))
    assert await reader.submit(notes) == ["new"]
    assert len(list(file.parent.glob("*.damaged-*"))) >= 1


async def test_a_caller_that_left_does_not_stop_its_job(writer: Writer, reader: Reader):
    gate = Gate()
    first = writer.submit(gate)
    await asyncio.to_thread(gate.entered.wait, 30)
    left = writer.submit(insert("a"))
    left.cancel()
    gate.opened.set()
    await first
    await writer.submit(insert("b"))
    assert await reader.submit(notes) == ["a", "b"]


async def test_jobs_that_wait_are_done_before_the_thread_ends(database: Database, maintenance: Maintenance):
    writer = Writer("writer", database, maintenance)
    jobs = [writer.submit(insert(text)) for text in "abc"]
    writer.close()
    await asyncio.gather(*jobs)
    with pytest.raises(StoreError, match="closed"):
        writer.submit(insert("d"))
    writer.join(30)


def test_a_loop_that_has_closed_is_not_waited_for(database: Database, maintenance: Maintenance):
    writer = Writer("writer", database, maintenance)
    gate = Gate()

    async def leave() -> None:
        writer.submit(gate)
        await asyncio.to_thread(gate.entered.wait, 30)

    asyncio.run(leave())
    gate.opened.set()
    ended(writer)


def test_a_worker_without_jobs_has_nothing_to_end(database: Database):
    reader = Reader("reader", database)
    ended(reader)
    assert database.identity() is None
