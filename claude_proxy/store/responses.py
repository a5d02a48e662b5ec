"""Stored responses: the functions on a connection, and the asynchronous interface over them.

A response that later responses continue from keeps its items when it is deleted or expires, so that these still have
their context. It can no longer be read itself, and its items go with the last response that needs them.
"""

import sqlite3
from collections.abc import Callable, Sequence

import msgspec

from claude_proxy.store import conversations
from claude_proxy.store.paging import Item, Page, Paging, page_of
from claude_proxy.store.schema import Schema
from claude_proxy.store.worker import Reader, Writer

UNFINISHED = ("queued", "in_progress")

MAX_DEPTH = 1000
MAX_CHAIN_BYTES = 64 * 1024 * 1024


_ITEM = """
    SELECT input, body FROM response_items JOIN responses ON responses.id = response_id
    WHERE response_items.id = ? AND NOT deleted ORDER BY created_at DESC LIMIT 1"""


class StoredResponse(msgspec.Struct, frozen=True):
    """A response, with the input items of its request. `body` is a JSON object, `input` a JSON list of objects."""

    id: str
    created_at: float
    status: str
    body: bytes
    input: bytes = b"[]"
    conversation_id: str | None = None
    previous_response_id: str | None = None

    @property
    def size(self) -> int:
        return len(self.body) + len(self.input)


class Summary(msgspec.Struct, frozen=True):
    """A response without its content. `size` is the number of bytes of its body and its input."""

    id: str
    created_at: float
    status: str
    size: int
    conversation_id: str | None
    previous_response_id: str | None


class Link(msgspec.Struct, frozen=True):
    """One response of a chain: JSON lists of what was sent and of what was answered."""

    id: str
    status: str
    input: bytes
    output: bytes


class Chain(msgspec.Struct, frozen=True):
    """A response and those that it continues, oldest first.

    It is not `complete` when older responses are gone or exceed the bounds.
    """

    links: tuple[Link, ...]
    complete: bool


class _Output(msgspec.Struct):
    output: msgspec.Raw = msgspec.Raw(b"[]")


class _ItemId(msgspec.Struct):
    id: str | None = None


def put(
    connection: sqlite3.Connection, response: StoredResponse, conversation_items: Sequence[Item], now: float
) -> None:
    """Insert `response` and append `conversation_items` to its conversation. Its id must be new."""
    connection.execute(
        "INSERT INTO responses (id, created_at, status, conversation_id, previous_response_id, size, input, body)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (
            *(response.id, response.created_at, response.status, response.conversation_id),
            *(response.previous_response_id, response.size, response.input, response.body),
        ),
    )
    _index_items(connection, response.id, (*_ids(response.input), *_ids(_output(response.body))))
    if response.conversation_id is not None and conversation_items:
        conversations.add_items(connection, response.conversation_id, conversation_items, now)


def update(
    connection: sqlite3.Connection,
    response_id: str,
    status: str,
    body: bytes,
    conversation_items: Sequence[Item],
    now: float,
) -> bool:
    """Replace status and body, and append to the response's conversation; whether the response is there."""
    row = connection.execute(
        "UPDATE responses SET status = ?2, body = ?3, size = length(input) + length(?3)"
        " WHERE id = ?1 AND NOT deleted RETURNING conversation_id",
        (response_id, status, body),
    ).fetchone()
    if row is not None:
        _index_items(connection, response_id, _ids(_output(body)))
    if row is not None and row[0] is not None and conversation_items:
        conversations.add_items(connection, row[0], conversation_items, now)
    return row is not None


def get(connection: sqlite3.Connection, response_id: str) -> StoredResponse | None:
    row = connection.execute(
        "SELECT id, created_at, status, body, input, conversation_id, previous_response_id"
        " FROM responses WHERE id = ? AND NOT deleted",
        (response_id,),
    ).fetchone()
    return StoredResponse(*row) if row else None


def newest(connection: sqlite3.Connection, limit: int) -> list[Summary]:
    rows = connection.execute(
        "SELECT id, created_at, status, size, conversation_id, previous_response_id"
        " FROM responses WHERE NOT deleted ORDER BY created_at DESC, rowid DESC LIMIT ?",
        (limit,),
    )
    return [Summary(*row) for row in rows]


def delete(connection: sqlite3.Connection, response_id: str) -> bool:
    """Delete a response; whether it was there. See the module for what stays when others continue from it."""
    row = connection.execute("SELECT body FROM responses WHERE id = ? AND NOT deleted", (response_id,)).fetchone()
    if row is None:
        return False
    if not _is_continued(connection, response_id):
        _remove(connection, response_id)
        return True
    body = msgspec.json.encode({"output": msgspec.Raw(_output(row[0]))})
    connection.execute(
        "UPDATE responses SET deleted = 1, body = ?2, size = length(input) + length(?2) WHERE id = ?1",
        (response_id, body),
    )
    return True


def chain(connection: sqlite3.Connection, response_id: str, max_depth: int, max_bytes: int) -> Chain | None:
    rows = connection.execute(
        "WITH RECURSIVE chain (depth, id, previous, total) AS ("
        " SELECT 1, id, previous_response_id, size FROM responses WHERE id = ?1 AND NOT deleted"
        " UNION ALL"
        " SELECT depth + 1, older.id, older.previous_response_id, total + older.size"
        " FROM chain JOIN responses AS older ON older.id = chain.previous"
        " WHERE depth < ?2 AND total + older.size <= ?3)"
        " SELECT responses.id, status, input, body, previous FROM chain JOIN responses USING (id) ORDER BY depth DESC",
        (response_id, max_depth, max_bytes),
    ).fetchall()
    if not rows:
        return None
    return Chain(tuple(Link(row[0], row[1], row[2], _output(row[3])) for row in rows), rows[0][4] is None)


def input_items(connection: sqlite3.Connection, response_id: str, paging: Paging) -> Page | None:
    row = connection.execute("SELECT input FROM responses WHERE id = ? AND NOT deleted", (response_id,)).fetchone()
    if row is None:
        return None
    return page_of([_item(index, raw) for index, raw in enumerate(_raw_list(row[0]))], paging)


def items(connection: sqlite3.Connection, item_ids: Sequence[str]) -> dict[str, bytes]:
    """The items with these ids, as the newest response has them; those of deleted responses are not found."""
    found: dict[str, bytes] = {}
    for item_id in dict.fromkeys(item_ids):
        row = connection.execute(_ITEM, (item_id,)).fetchone()
        if row is None:
            continue
        listed = (*_raw_list(_output(row[1])), *_raw_list(row[0]))
        match = (raw for raw in listed if msgspec.json.decode(raw, type=_ItemId).id == item_id)
        found.update((item_id, bytes(raw)) for raw in match)
    return found


def expire(connection: sqlite3.Connection, before: float, limit: int) -> int:
    """Delete responses that are older than `before`, the newest of these first: what continues others goes first."""
    rows = connection.execute(
        "SELECT id FROM responses WHERE created_at < ? AND NOT deleted ORDER BY created_at DESC LIMIT ?",
        (before, limit),
    ).fetchall()
    return sum(delete(connection, response_id) for (response_id,) in rows)


def evict(connection: sqlite3.Connection, limit: int) -> int:
    """Remove the oldest rows, also those that others continue from: their chains are incomplete then."""
    return connection.execute(
        "DELETE FROM responses WHERE id IN (SELECT id FROM responses ORDER BY created_at LIMIT ?)", (limit,)
    ).rowcount


SCHEMA = Schema(
    "responses",
    (
        (
            # The content comes last: a list of summaries then reads no overflow pages.
            """
            CREATE TABLE responses (
                id TEXT PRIMARY KEY,
                created_at REAL NOT NULL,
                status TEXT NOT NULL,
                conversation_id TEXT,
                previous_response_id TEXT,
                deleted INTEGER NOT NULL DEFAULT 0,
                size INTEGER NOT NULL,
                input BLOB NOT NULL,
                body BLOB NOT NULL
            )""",
            "CREATE INDEX responses_by_age ON responses (created_at)",
            """
            CREATE INDEX responses_by_previous ON responses (previous_response_id)
            WHERE previous_response_id IS NOT NULL""",
            "CREATE INDEX responses_unfinished ON responses (status) WHERE status IN ('queued', 'in_progress')",
        ),
        (
            # For references to single items.
            """
            CREATE TABLE response_items (
                id TEXT NOT NULL,
                response_id TEXT NOT NULL REFERENCES responses ON DELETE CASCADE,
                PRIMARY KEY (id, response_id)
            ) WITHOUT ROWID""",
            "CREATE INDEX response_items_by_response ON response_items (response_id)",
        ),
    ),
    expire=expire,
    evict=evict,
)


def _remove(connection: sqlite3.Connection, response_id: str) -> None:
    """Remove a row, and deleted ones that were kept for it alone."""
    doomed: str | None = response_id
    while doomed is not None:
        row = connection.execute(
            "DELETE FROM responses WHERE id = ? RETURNING previous_response_id", (doomed,)
        ).fetchone()
        previous = row[0] if row else None
        doomed = previous if previous is not None and _is_kept_for_nothing(connection, previous) else None


def _is_kept_for_nothing(connection: sqlite3.Connection, response_id: str) -> bool:
    row = connection.execute("SELECT deleted FROM responses WHERE id = ?", (response_id,)).fetchone()
    return row is not None and bool(row[0]) and not _is_continued(connection, response_id)


def _is_continued(connection: sqlite3.Connection, response_id: str) -> bool:
    query = "SELECT 1 FROM responses WHERE previous_response_id = ? LIMIT 1"
    return connection.execute(query, (response_id,)).fetchone() is not None


def _index_items(connection: sqlite3.Connection, response_id: str, ids: Sequence[str]) -> None:
    connection.executemany(
        "INSERT OR IGNORE INTO response_items (id, response_id) VALUES (?, ?)", [(id_, response_id) for id_ in ids]
    )


def _ids(json: bytes) -> list[str]:
    """The ids of the items in a JSON list, of those that have one."""
    listed = msgspec.json.decode(json, type=list[_ItemId | str])
    return [item.id for item in listed if isinstance(item, _ItemId) and item.id]


def _output(body: bytes) -> bytes:
    return bytes(msgspec.json.decode(body, type=_Output).output)


def _raw_list(json: bytes) -> list[msgspec.Raw]:
    return msgspec.json.decode(json, type=list[msgspec.Raw])


def _item(index: int, raw: msgspec.Raw) -> Item:
    """An input item; one that has no id is named by its index."""
    return Item(msgspec.json.decode(raw, type=_ItemId).id or f"item_{index}", bytes(raw))


class Responses:
    """Stored responses. Every method raises StoreError when the store cannot be used."""

    def __init__(self, reader: Reader, writer: Writer, clock: Callable[[], float]) -> None:
        self._reader = reader
        self._writer = writer
        self._clock = clock

    async def put(self, response: StoredResponse, conversation_items: Sequence[Item] = ()) -> None:
        """Store a new response; `conversation_items` are appended to its conversation in the same transaction."""
        now = self._clock()
        size = response.size + sum(len(item.json) for item in conversation_items)
        await self._writer.submit(lambda connection: put(connection, response, conversation_items, now), size)

    async def update(self, response_id: str, status: str, body: bytes, conversation_items: Sequence[Item] = ()) -> bool:
        """Replace status and body; `False` when the response was deleted meanwhile."""
        now = self._clock()
        size = len(body) + sum(len(item.json) for item in conversation_items)
        return await self._writer.submit(
            lambda connection: update(connection, response_id, status, body, conversation_items, now), size
        )

    async def get(self, response_id: str) -> StoredResponse | None:
        return await self._reader.submit(lambda connection: get(connection, response_id))

    async def delete(self, response_id: str) -> bool:
        """Delete a response; whether it was there."""
        return await self._writer.submit(lambda connection: delete(connection, response_id))

    async def newest(self, limit: int = 20) -> list[Summary]:
        return await self._reader.submit(lambda connection: newest(connection, limit))

    async def chain(
        self, response_id: str, *, max_depth: int = MAX_DEPTH, max_bytes: int = MAX_CHAIN_BYTES
    ) -> Chain | None:
        """The response and all that it continues, for a request with this `previous_response_id`."""
        return await self._reader.submit(lambda connection: chain(connection, response_id, max_depth, max_bytes))

    async def items(self, item_ids: Sequence[str]) -> dict[str, bytes]:
        """The items of stored responses with these ids, by id; those that are not there are left out."""
        return await self._reader.submit(lambda connection: items(connection, item_ids))

    async def input_items(self, response_id: str, paging: Paging) -> Page | None:
        """A page of the items that were sent with the response's own request."""
        return await self._reader.submit(lambda connection: input_items(connection, response_id, paging))
