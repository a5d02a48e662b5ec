import sqlite3
from collections.abc import Iterator

import pytest

from claude_proxy.errors import StoreError
from claude_proxy.store.schema import Schema, is_current, migrate, no_rows

FIRST = Schema("notes", (("CREATE TABLE notes (id INTEGER)", "INSERT INTO notes VALUES (1)"),))
SECOND = Schema("notes", (*FIRST.migrations, ("ALTER TABLE notes ADD COLUMN text TEXT DEFAULT 'none'",)))


@pytest.fixture
def connection() -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    yield connection
    connection.close()


def test_a_new_file_gets_every_migration_once(connection: sqlite3.Connection):
    assert not is_current(connection, [SECOND])
    migrate(connection, [SECOND])
    migrate(connection, [SECOND])
    assert is_current(connection, [SECOND])
    assert connection.execute("SELECT * FROM notes").fetchall() == [(1, "none")]


def test_an_older_file_gets_what_it_misses(connection: sqlite3.Connection):
    migrate(connection, [FIRST])
    assert not is_current(connection, [SECOND])
    migrate(connection, [SECOND])
    assert connection.execute("SELECT * FROM notes").fetchall() == [(1, "none")]


def test_a_file_of_a_newer_version_is_an_error(connection: sqlite3.Connection):
    migrate(connection, [SECOND])
    with pytest.raises(StoreError, match="a newer version") as caught:
        migrate(connection, [FIRST])
    assert caught.value.code == "store_newer"


def test_owners_have_versions_of_their_own(connection: sqlite3.Connection):
    migrate(connection, [SECOND])
    other = Schema("other", (("CREATE TABLE other (id INTEGER)",),))
    assert not is_current(connection, [SECOND, other])
    migrate(connection, [SECOND, other])
    assert is_current(connection, [other])


def test_a_table_without_bounds_loses_no_rows(connection: sqlite3.Connection):
    assert no_rows(connection, 1.0, 2) == 0
