"""Background runs: the events of their streams, and what becomes of runs that the end of the process interrupted."""

import sqlite3
from collections.abc import Callable, Sequence

import msgspec

from claude_proxy.store import responses
from claude_proxy.store.responses import UNFINISHED, StoredResponse
from claude_proxy.store.schema import Schema
from claude_proxy.store.worker import Reader, Writer


class RunEvent(msgspec.Struct, frozen=True):
    """One event of a response's stream, as the bytes that clients get."""

    sequence_number: int
    frame: bytes


def append_events(connection: sqlite3.Connection, response_id: str, events: Sequence[RunEvent]) -> bool:
    """Append events; whether the response is there."""
    query = "SELECT 1 FROM responses WHERE id = ? AND NOT deleted"
    if connection.execute(query, (response_id,)).fetchone() is None:
        return False
    connection.executemany(
        "INSERT INTO run_events (response_id, sequence_number, frame) VALUES (?, ?, ?)",
        [(response_id, event.sequence_number, event.frame) for event in events],
    )
    return True


def events_after(connection: sqlite3.Connection, response_id: str, sequence_number: int, limit: int) -> list[RunEvent]:
    rows = connection.execute(
        "SELECT sequence_number, frame FROM run_events WHERE response_id = ? AND sequence_number > ?"
        " ORDER BY sequence_number LIMIT ?",
        (response_id, sequence_number, limit),
    )
    return [RunEvent(*row) for row in rows]


def delete_events(connection: sqlite3.Connection, response_id: str) -> int:
    return connection.execute("DELETE FROM run_events WHERE response_id = ?", (response_id,)).rowcount


def end_interrupted(
    connection: sqlite3.Connection, status: str, make_body: Callable[[StoredResponse], bytes], now: float
) -> list[str]:
    """Give every unfinished response `status` and a new body; returns their ids."""
    rows = connection.execute("SELECT id FROM responses WHERE status IN (?, ?) AND NOT deleted", UNFINISHED).fetchall()
    for (response_id,) in rows:
        if (response := responses.get(connection, response_id)) is not None:
            responses.update(connection, response_id, status, make_body(response), (), now)
    return [response_id for (response_id,) in rows]


SCHEMA = Schema(
    "run_events",
    (
        (
            """
            CREATE TABLE run_events (
                response_id TEXT NOT NULL REFERENCES responses ON DELETE CASCADE,
                sequence_number INTEGER NOT NULL,
                frame BLOB NOT NULL,
                PRIMARY KEY (response_id, sequence_number)
            ) WITHOUT ROWID""",
        ),
    ),
)


class BackgroundRuns:
    """The streams of background responses. Every method raises StoreError when the store cannot be used."""

    def __init__(self, reader: Reader, writer: Writer, clock: Callable[[], float]) -> None:
        self._reader = reader
        self._writer = writer
        self._clock = clock

    async def append_events(self, response_id: str, events: Sequence[RunEvent]) -> bool:
        """Append events to a stored response; `False` when the response was deleted meanwhile."""
        size = sum(len(event.frame) for event in events)
        return await self._writer.submit(lambda connection: append_events(connection, response_id, events), size)

    async def events_after(self, response_id: str, sequence_number: int = -1, limit: int = 1000) -> list[RunEvent]:
        """At most `limit` events whose number is greater than `sequence_number`, in order."""
        return await self._reader.submit(
            lambda connection: events_after(connection, response_id, sequence_number, limit)
        )

    async def delete_events(self, response_id: str) -> int:
        """Delete the events of a response whose stream can no longer be resumed."""
        return await self._writer.submit(lambda connection: delete_events(connection, response_id))

    async def end_interrupted(self, status: str, make_body: Callable[[StoredResponse], bytes]) -> list[str]:
        """End runs that were unfinished when the process died; call it once, before a new run begins.

        `make_body` returns the body to store for a response. It is called in the store's thread. Returns the ids.
        """
        now = self._clock()
        return await self._writer.submit(lambda connection: end_interrupted(connection, status, make_body, now))
