"""Conversations and their items: the functions on a connection, and the asynchronous interface over them."""

import sqlite3
import uuid
from collections.abc import Callable, Sequence

import msgspec

from claude_proxy.errors import InvalidRequest
from claude_proxy.store.paging import Item, Page, Paging, page, window
from claude_proxy.store.schema import Schema
from claude_proxy.store.worker import Reader, Writer

_PAGE_ASCENDING = """
    SELECT id, json FROM conversation_items WHERE conversation_id = ? AND number > ? AND number < ?
    ORDER BY number LIMIT ?"""
_PAGE_DESCENDING = _PAGE_ASCENDING.replace("ORDER BY number", "ORDER BY number DESC")
_FIRST, _LAST = -1, 2**62  # outside the row numbers that SQLite gives


class Conversation(msgspec.Struct, frozen=True):
    """A conversation without its items; `metadata` is a JSON object."""

    id: str
    created_at: float
    metadata: bytes


def create(connection: sqlite3.Connection, conversation: Conversation, items: Sequence[Item], now: float) -> None:
    connection.execute(
        "INSERT INTO conversations (id, created_at, updated_at, metadata) VALUES (?, ?, ?, ?)",
        (conversation.id, conversation.created_at, now, conversation.metadata),
    )
    add_items(connection, conversation.id, items, now)


def get(connection: sqlite3.Connection, conversation_id: str) -> Conversation | None:
    row = connection.execute(
        "SELECT id, created_at, metadata FROM conversations WHERE id = ?", (conversation_id,)
    ).fetchone()
    return Conversation(*row) if row else None


def update(connection: sqlite3.Connection, conversation_id: str, metadata: bytes, now: float) -> Conversation | None:
    connection.execute(
        "UPDATE conversations SET metadata = ?, updated_at = ? WHERE id = ?", (metadata, now, conversation_id)
    )
    return get(connection, conversation_id)


def delete(connection: sqlite3.Connection, conversation_id: str) -> bool:
    return connection.execute("DELETE FROM conversations WHERE id = ?", (conversation_id,)).rowcount > 0


def add_items(
    connection: sqlite3.Connection, conversation_id: str, items: Sequence[Item], now: float
) -> tuple[Item, ...] | None:
    """Append `items`; `None` when the conversation does not exist. An item whose id is empty gets a new one.

    Raises InvalidRequest for an id that the conversation already has.
    """
    touched = connection.execute("UPDATE conversations SET updated_at = ? WHERE id = ?", (now, conversation_id))
    if not touched.rowcount:
        return None
    stored = tuple(item if item.id else Item(f"item_{uuid.uuid4().hex}", item.json) for item in items)
    for item in stored:
        if _position(connection, conversation_id, item.id) is not None:
            raise InvalidRequest(f"the conversation already has an item with id '{item.id}'", param="items")
        connection.execute(
            "INSERT INTO conversation_items (conversation_id, id, json) VALUES (?, ?, ?)",
            (conversation_id, item.id, item.json),
        )
    return stored


def items(connection: sqlite3.Connection, conversation_id: str, paging: Paging) -> Page | None:
    if get(connection, conversation_id) is None:
        return None
    low, high, ascending = window(paging, lambda item_id: _position(connection, conversation_id, item_id))
    rows = connection.execute(
        _PAGE_ASCENDING if ascending else _PAGE_DESCENDING,
        (conversation_id, max(low, _FIRST), min(high, _LAST), paging.limit + 1),
    )
    return page([Item(*row) for row in rows], paging)


def all_items(connection: sqlite3.Connection, conversation_id: str, max_bytes: int) -> tuple[Item, ...] | None:
    """The newest items of at most `max_bytes`, oldest first."""
    if get(connection, conversation_id) is None:
        return None
    found: list[Item] = []
    rows = connection.execute(
        "SELECT id, json FROM conversation_items WHERE conversation_id = ? ORDER BY number DESC", (conversation_id,)
    )
    for item in (Item(*row) for row in rows):
        max_bytes -= len(item.json)
        if max_bytes < 0:
            break
        found.append(item)
    return tuple(reversed(found))


def item(connection: sqlite3.Connection, conversation_id: str, item_id: str) -> Item | None:
    row = connection.execute(
        "SELECT id, json FROM conversation_items WHERE conversation_id = ? AND id = ?", (conversation_id, item_id)
    ).fetchone()
    return Item(*row) if row else None


def delete_item(connection: sqlite3.Connection, conversation_id: str, item_id: str, now: float) -> bool:
    deleted = connection.execute(
        "DELETE FROM conversation_items WHERE conversation_id = ? AND id = ?", (conversation_id, item_id)
    )
    if deleted.rowcount:
        connection.execute("UPDATE conversations SET updated_at = ? WHERE id = ?", (now, conversation_id))
    return deleted.rowcount > 0


def expire(connection: sqlite3.Connection, before: float, limit: int) -> int:
    """Delete conversations that have not changed since `before`."""
    return connection.execute(
        "DELETE FROM conversations WHERE id IN (SELECT id FROM conversations WHERE updated_at < ? LIMIT ?)",
        (before, limit),
    ).rowcount


def evict(connection: sqlite3.Connection, limit: int) -> int:
    return connection.execute(
        "DELETE FROM conversations WHERE id IN (SELECT id FROM conversations ORDER BY updated_at LIMIT ?)", (limit,)
    ).rowcount


SCHEMA = Schema(
    "conversations",
    (
        (
            """
            CREATE TABLE conversations (
                id TEXT PRIMARY KEY,
                created_at REAL NOT NULL,
                updated_at REAL NOT NULL,
                metadata BLOB NOT NULL
            )""",
            "CREATE INDEX conversations_by_age ON conversations (updated_at)",
            """
            CREATE TABLE conversation_items (
                number INTEGER PRIMARY KEY AUTOINCREMENT,
                conversation_id TEXT NOT NULL REFERENCES conversations ON DELETE CASCADE,
                id TEXT NOT NULL,
                json BLOB NOT NULL,
                UNIQUE (conversation_id, id)
            )""",
            "CREATE INDEX conversation_items_in_order ON conversation_items (conversation_id, number)",
        ),
    ),
    expire=expire,
    evict=evict,
)


def _position(connection: sqlite3.Connection, conversation_id: str, item_id: str) -> int | None:
    row = connection.execute(
        "SELECT number FROM conversation_items WHERE conversation_id = ? AND id = ?", (conversation_id, item_id)
    ).fetchone()
    return row[0] if row else None


class Conversations:
    """Conversations. Every method raises StoreError when the store cannot be used."""

    def __init__(self, reader: Reader, writer: Writer, clock: Callable[[], float]) -> None:
        self._reader = reader
        self._writer = writer
        self._clock = clock

    async def create(self, conversation: Conversation, first_items: Sequence[Item] = ()) -> None:
        now = self._clock()
        await self._writer.submit(
            lambda connection: create(connection, conversation, first_items, now), _size(first_items)
        )

    async def get(self, conversation_id: str) -> Conversation | None:
        return await self._reader.submit(lambda connection: get(connection, conversation_id))

    async def update(self, conversation_id: str, metadata: bytes) -> Conversation | None:
        """Replace the metadata; `None` when the conversation does not exist."""
        now = self._clock()
        return await self._writer.submit(lambda connection: update(connection, conversation_id, metadata, now))

    async def delete(self, conversation_id: str) -> bool:
        """Delete a conversation with its items; whether it was there."""
        return await self._writer.submit(lambda connection: delete(connection, conversation_id))

    async def add_items(self, conversation_id: str, new: Sequence[Item]) -> tuple[Item, ...] | None:
        """Append all of `new` or none; `None` when the conversation does not exist.

        An item whose id is empty gets a new id. Raises InvalidRequest for an id that the conversation already has.
        """
        now = self._clock()
        return await self._writer.submit(
            lambda connection: add_items(connection, conversation_id, new, now), _size(new)
        )

    async def items(self, conversation_id: str, paging: Paging) -> Page | None:
        return await self._reader.submit(lambda connection: items(connection, conversation_id, paging))

    async def all_items(self, conversation_id: str, max_bytes: int = 64 * 1024 * 1024) -> tuple[Item, ...] | None:
        """The items for a request that continues the conversation, oldest first; beyond `max_bytes` the newest."""
        return await self._reader.submit(lambda connection: all_items(connection, conversation_id, max_bytes))

    async def item(self, conversation_id: str, item_id: str) -> Item | None:
        return await self._reader.submit(lambda connection: item(connection, conversation_id, item_id))

    async def delete_item(self, conversation_id: str, item_id: str) -> bool:
        """Delete an item; whether it was there."""
        now = self._clock()
        return await self._writer.submit(lambda connection: delete_item(connection, conversation_id, item_id, now))


def _size(new: Sequence[Item]) -> int:
    return sum(len(each.json) for each in new)
