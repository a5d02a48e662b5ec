"""The tables of the store's file: each module that owns tables declares a Schema; migrations bring a file up to date.

To add tables: write a module with a `SCHEMA`, and add that to `SCHEMAS` in `store/store.py`. To change them later,
append a migration. A published migration never changes: files exist that have run it.
"""

import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from claude_proxy.errors import StoreError

Statements = tuple[str, ...]


def no_rows(_connection: sqlite3.Connection, *_arguments: float) -> int:
    """For tables that are not bounded by age or by size."""
    return 0


@dataclass(frozen=True)
class Schema:
    """The tables of one owner.

    Migration number i leads from version i to version i + 1. `expire(connection, before, limit)` deletes at most
    `limit` rows that are older than the time `before`, `evict(connection, limit)` the `limit` oldest rows; both return
    how many rows they deleted. Rows are kept for at least `min_age` seconds, also when the age that is set is shorter.
    """

    name: str
    migrations: tuple[Statements, ...]
    expire: Callable[[sqlite3.Connection, float, int], int] = no_rows
    evict: Callable[[sqlite3.Connection, int], int] = no_rows
    min_age: float = 0.0


def is_current(connection: sqlite3.Connection, schemas: Sequence[Schema]) -> bool:
    """Whether the tables are there in the newest version, so that nothing must be written to open the file."""
    (found,) = connection.execute("SELECT count(*) FROM sqlite_master WHERE name = 'schema_versions'").fetchone()
    return bool(found) and all(_versions(connection).get(schema.name) == len(schema.migrations) for schema in schemas)


def migrate(connection: sqlite3.Connection, schemas: Sequence[Schema]) -> None:
    """Bring the tables up to date, in the transaction that the caller has begun.

    Raises StoreError when a newer version of this program wrote the file.
    """
    connection.execute(
        "CREATE TABLE IF NOT EXISTS schema_versions (name TEXT PRIMARY KEY, version INTEGER NOT NULL) WITHOUT ROWID"
    )
    versions = _versions(connection)
    for schema in schemas:
        version, newest = versions.get(schema.name, 0), len(schema.migrations)
        if version > newest:
            raise StoreError(
                f"a newer version of claude-proxy wrote the store (version {version} of its {schema.name})",
                code="store_newer",
                hint="update claude-proxy, or move the file away",
            )
        for statements in schema.migrations[version:]:
            for statement in statements:
                connection.execute(statement)
        if version < newest:
            connection.execute("INSERT OR REPLACE INTO schema_versions VALUES (?, ?)", (schema.name, newest))


def _versions(connection: sqlite3.Connection) -> dict[str, int]:
    return dict(connection.execute("SELECT name, version FROM schema_versions"))
