"""The usage ledger: one row for each request to a model, with figures and names, and never any content.

What upstream has not said is NULL, never 0. Times are epoch seconds, durations are seconds.
"""

import sqlite3
from collections.abc import Iterator, Sequence
from typing import TypeVar

import msgspec

from claude_proxy.store.schema import Schema
from claude_proxy.store.worker import Reader, Work, Writer

T = TypeVar("T")

# Budgets are for a calendar month, so its rows are kept even where stored responses are kept for a shorter time.
MIN_AGE = 32 * 86400.0

CLIENT_LEFT = "client_left"  # in place of an error's code: the client closed the connection before the end


class UsageRow(msgspec.Struct, frozen=True):
    """One request. `status` is the reply's, also where the reply broke off later; `error` is the error's code.

    `plan` says whether a plan login paid. `cache_write_1h_tokens` is a part of `cache_write_tokens`. `choices` is the
    number of answers, and `upstream_requests` the number of requests that were sent for them; tokens are their sum.
    """

    time: float
    client: str
    dialect: str
    model: str | None
    backend: str | None
    status: int | None
    error: str | None
    input_tokens: int | None
    cache_read_tokens: int | None
    cache_write_tokens: int | None
    cache_write_1h_tokens: int | None
    output_tokens: int | None
    web_searches: int | None
    speed: str | None
    first_token: float | None
    duration: float
    choices: int
    upstream_requests: int
    plan: bool | None = None

    @property
    def prompt_tokens(self) -> int | None:
        """All input, cached or not; None where upstream has said nothing about it."""
        return _known_sum(self.input_tokens, self.cache_read_tokens, self.cache_write_tokens)

    @property
    def tokens(self) -> int | None:
        """All tokens of the four kinds."""
        return _known_sum(self.prompt_tokens, self.output_tokens)


def _known_sum(*counts: int | None) -> int | None:
    known = [count for count in counts if count is not None]
    return sum(known) if known else None


_COLUMNS = UsageRow.__struct_fields__
_INSERT = f"INSERT INTO usage ({', '.join(_COLUMNS)}) VALUES "  # noqa: S608 - ours
_VALUES = f"({', '.join('?' * len(_COLUMNS))})"
# Each statement gives up Python's lock once, and gets it back from a busy event loop late: with one for each row,
# 1,000 rows took 17 ms beside a busy thread, and 2 ms with these.
_ROWS = 50
_SELECT = f"SELECT {', '.join(_COLUMNS)} FROM usage WHERE time >= ? AND time < ? ORDER BY time"  # noqa: S608 - ours


def add(connection: sqlite3.Connection, rows: Sequence[UsageRow]) -> None:
    for start in range(0, len(rows), _ROWS):
        some = rows[start : start + _ROWS]
        values = [value for row in some for value in msgspec.structs.astuple(row)]
        connection.execute(_INSERT + ", ".join([_VALUES] * len(some)), values)


def between(connection: sqlite3.Connection, since: float, until: float) -> Iterator[UsageRow]:
    """The rows of requests that began within [since, until), oldest first."""
    for row in connection.execute(_SELECT, (since, until)):
        yield msgspec.convert(dict(zip(_COLUMNS, row, strict=True)), UsageRow, strict=False)


def is_in(connection: sqlite3.Connection) -> bool:
    """Whether the file has a ledger; one of an older version has none until the daemon opens it."""
    return connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'usage'").fetchone() is not None


def expire(connection: sqlite3.Connection, before: float, limit: int) -> int:
    query = "DELETE FROM usage WHERE id IN (SELECT id FROM usage WHERE time < ? ORDER BY time LIMIT ?)"
    return connection.execute(query, (before, limit)).rowcount


def evict(connection: sqlite3.Connection, limit: int) -> int:
    query = "DELETE FROM usage WHERE id IN (SELECT id FROM usage ORDER BY time LIMIT ?)"
    return connection.execute(query, (limit,)).rowcount


SCHEMA = Schema(
    "usage",
    (
        (
            """
            CREATE TABLE usage (
                id INTEGER PRIMARY KEY,
                time REAL NOT NULL,
                client TEXT NOT NULL,
                dialect TEXT NOT NULL,
                model TEXT,
                backend TEXT,
                status INTEGER,
                error TEXT,
                input_tokens INTEGER,
                cache_read_tokens INTEGER,
                cache_write_tokens INTEGER,
                cache_write_1h_tokens INTEGER,
                output_tokens INTEGER,
                web_searches INTEGER,
                speed TEXT,
                first_token REAL,
                duration REAL NOT NULL,
                choices INTEGER NOT NULL,
                upstream_requests INTEGER NOT NULL,
                plan INTEGER
            )""",
            "CREATE INDEX usage_by_time ON usage (time)",
        ),
    ),
    expire=expire,
    evict=evict,
    min_age=MIN_AGE,
)


class UsageLedger:
    """The ledger of the running daemon. Every method raises StoreError when the store cannot be used."""

    def __init__(self, reader: Reader, writer: Writer) -> None:
        self._reader = reader
        self._writer = writer

    async def add(self, rows: Sequence[UsageRow]) -> None:
        """Add all rows, or none of them and raise."""
        await self._writer.submit(lambda connection: add(connection, rows), 200 * len(rows))

    async def read(self, work: Work[T]) -> T:
        """Call `work` with a connection that cannot write, in the reader's thread."""
        return await self._reader.submit(work)
