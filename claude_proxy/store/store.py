"""The store: one SQLite file, one thread that writes, one that reads, and bounds by size and age."""

import sqlite3
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

import msgspec

from claude_proxy.store import conversations, responses, runs, usage
from claude_proxy.store.database import Database, file_size, open_file, store_error, transaction
from claude_proxy.store.schema import Schema
from claude_proxy.store.worker import MAX_BYTES, Reader, Work, Writer
from claude_proxy.transport.threads import run_in_thread

T = TypeVar("T")

# All tables of the file. Responses are evicted before conversations, and rows of the ledger last.
SCHEMAS: tuple[Schema, ...] = (responses.SCHEMA, conversations.SCHEMA, runs.SCHEMA, usage.SCHEMA)

EXPIRY_INTERVAL = 600.0
EXPIRY_ROWS = 200  # per transaction: writes wait while one runs
EVICTED_ROWS = 8
IDLE_INTERVAL = 60.0
CLOSE_TIMEOUT = 5.0
# Part of the bound is for the write-ahead log, which SQLite cuts back to 4 MB after a checkpoint.
_LOG_SHARE, _LOG_BYTES = 4, 16 * 1024 * 1024


class Limits(msgspec.Struct, frozen=True):
    """Bytes that the file may take, and seconds that rows are kept; 0 sets no limit."""

    max_size: int = 0
    max_age: float = 0.0


class Stats(msgspec.Struct, frozen=True):
    """What is stored. `bytes` is the size on disk; `oldest` is the time of the oldest response."""

    responses: int
    conversations: int
    bytes: int
    oldest: float | None


class Store:
    """Stored responses, conversations, background runs and the usage ledger.

    All methods are for an event loop and do not block it.
    The file is opened with the first call. Where it cannot be opened each call raises StoreError, and later calls try
    again.
    """

    def __init__(
        self,
        file: Path,
        limits: Limits = Limits(),  # noqa: B008 - immutable
        *,
        schemas: Sequence[Schema] = SCHEMAS,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._database = Database(file, schemas)
        self._maintenance = _Maintenance(self._database, limits, schemas, clock)
        max_batch = min(MAX_BYTES, limits.max_size // 4) if limits.max_size else MAX_BYTES
        self._writer = Writer(
            "store-writer", self._database, self._maintenance, idle=IDLE_INTERVAL, max_batch_bytes=max_batch
        )
        self._reader = Reader("store-reader", self._database)
        self.responses = responses.Responses(self._reader, self._writer, clock)
        self.conversations = conversations.Conversations(self._reader, self._writer, clock)
        self.runs = runs.BackgroundRuns(self._reader, self._writer, clock)
        self.usage = usage.UsageLedger(self._reader, self._writer)

    async def open(self) -> None:
        """Open the file now, to learn at the start whether it can be used. Raises StoreError."""
        await self._writer.submit(lambda _: None)

    async def write(self, work: Work[T], size: int = 0) -> T:
        """Call `work` with the writer's connection, in a transaction; for tables of other modules.

        `size` is about how many bytes it writes. `work` may be called again after an error, so it must have no effect
        but on its connection.
        """
        return await self._writer.submit(work, size)

    async def read(self, work: Work[T]) -> T:
        """Call `work` with the reader's connection, which cannot write."""
        return await self._reader.submit(work)

    async def stats(self) -> Stats:
        return await self._reader.submit(lambda connection: stats(connection, self._database.file))

    async def purge(self) -> int:
        """Delete all responses and conversations, and their content from the disk; returns how many there were."""
        return await self._writer.submit(purge, alone=True)

    async def close(self) -> None:
        """Finish the writes that wait, within some seconds, and close the file."""
        self._reader.close()
        await run_in_thread(lambda: self._reader.join(CLOSE_TIMEOUT), "store-close")
        self._writer.close()
        await run_in_thread(lambda: self._writer.join(CLOSE_TIMEOUT), "store-close")


class _Maintenance:
    """Keeps the bounds, in the writer's thread: by size before each batch, by age now and then."""

    def __init__(
        self, database: Database, limits: Limits, schemas: Sequence[Schema], clock: Callable[[], float]
    ) -> None:
        self._database = database
        self._limits = limits
        self._schemas = schemas
        self._clock = clock
        self._next_expiry = 0.0

    def __call__(self, connection: sqlite3.Connection, incoming: int) -> None:
        now = self._clock()
        if self._limits.max_age and now >= self._next_expiry:
            self._next_expiry = now if self._expire(connection, now) else now + EXPIRY_INTERVAL
        if self._limits.max_size:
            self._make_space(connection, max(incoming, 0))
        if incoming < 0:
            # What was deleted may still be in the log.
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    def _expire(self, connection: sqlite3.Connection, now: float) -> bool:
        """Delete some of the rows that are too old; whether more of them may be left."""
        with transaction(connection):
            counts = [
                schema.expire(connection, now - max(self._limits.max_age, schema.min_age), EXPIRY_ROWS)
                for schema in self._schemas
            ]
        if any(counts):
            _shrink(connection)
        return max(counts, default=0) >= EXPIRY_ROWS

    def _make_space(self, connection: sqlite3.Connection, incoming: int) -> None:
        """Delete the oldest rows until `incoming` bytes fit."""
        budget = self._limits.max_size - min(self._limits.max_size // _LOG_SHARE, _LOG_BYTES)
        if _used(connection) + incoming <= budget:
            return
        goal = budget - budget // 10  # so that this does not happen with every write
        for schema in self._schemas:
            while _used(connection) + incoming > goal:
                with transaction(connection):
                    evicted = schema.evict(connection, EVICTED_ROWS)
                if not evicted:
                    break
        _shrink(connection)


def stats(connection: sqlite3.Connection, file: Path) -> Stats:
    count, oldest = connection.execute("SELECT count(*), min(created_at) FROM responses WHERE NOT deleted").fetchone()
    (talks,) = connection.execute("SELECT count(*) FROM conversations").fetchone()
    return Stats(responses=count, conversations=talks, bytes=file_size(file), oldest=oldest)


def purge(connection: sqlite3.Connection) -> int:
    """Delete all responses and conversations outside of a transaction; returns how many there were."""
    with transaction(connection):
        count = sum(
            connection.execute(f"DELETE FROM {table}").rowcount  # noqa: S608 - two names of ours
            for table in ("responses", "conversations")
        )
    _shrink(connection)
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    return count


def purge_file(file: Path) -> int:
    """Empty the store in `file`, also beside a running daemon. Blocking; raises StoreError."""
    try:
        connection = open_file(file, SCHEMAS)
    except (sqlite3.Error, OSError) as exc:
        raise store_error(exc) from exc
    try:
        return purge(connection)
    except sqlite3.Error as exc:
        raise store_error(exc) from exc
    finally:
        connection.close()


def _used(connection: sqlite3.Connection) -> int:
    pages, free, size = (
        connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "freelist_count", "page_size")
    )
    return int((pages - free) * size)


def _shrink(connection: sqlite3.Connection) -> None:
    """Give free pages back to the file system."""
    connection.execute("PRAGMA incremental_vacuum").fetchall()
