import logging
import os
import sqlite3
import stat
from pathlib import Path
from types import SimpleNamespace

import pytest

from claude_proxy.errors import StoreError
from claude_proxy.store import database
from claude_proxy.store.database import Database, file_size, open_file, read_only, store_error, transaction
from claude_proxy.store.schema import Schema

NOTES = Schema("notes", (("CREATE TABLE notes (text TEXT)",),))


def opened(file: Path) -> sqlite3.Connection:
    return open_file(file, [NOTES])


def refused(file: Path) -> StoreError:
    with pytest.raises(StoreError) as caught:
        Database(file, [NOTES]).connect()
    return caught.value


def test_every_file_of_the_store_is_for_this_user_alone(file: Path):
    before = os.umask(0)
    try:
        connection = opened(file)
        connection.execute("INSERT INTO notes VALUES ('a')")
        names = {path.name for path in file.parent.iterdir()}
        assert names == {file.name, f"{file.name}-wal", f"{file.name}-shm"}
        assert {stat.S_IMODE(path.stat().st_mode) for path in file.parent.iterdir()} == {0o600}
        assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    finally:
        os.umask(before)
        connection.close()


def test_a_file_that_others_could_read_is_closed_to_them(file: Path):
    opened(file).close()
    file.chmod(0o644)
    opened(file).close()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_a_file_that_others_can_change_is_left_alone(file: Path):
    opened(file).close()
    file.chmod(0o666)
    assert refused(file).code == "store_foreign"
    assert stat.S_IMODE(file.stat().st_mode) == 0o666


@pytest.mark.parametrize("content", [b"not a database at all " * 100, b"SQLite format 3\0" + b"\xff" * 5000])
def test_a_damaged_file_is_moved_aside_and_a_new_one_begun(
    file: Path, content: bytes, caplog: pytest.LogCaptureFixture
):
    file.parent.mkdir()
    file.write_bytes(content)
    with caplog.at_level(logging.WARNING):
        connection = Database(file, [NOTES]).connect()
    connection.execute("INSERT INTO notes VALUES ('a')")
    connection.close()
    (aside,) = file.parent.glob("*.damaged-*")
    assert aside.read_bytes() == content
    assert str(aside) in caplog.text


def test_a_second_damaged_file_does_not_replace_the_first(file: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(database, "time", SimpleNamespace(strftime=lambda _: "NOW"))
    file.parent.mkdir()
    for content in (b"one", b"two"):
        file.write_bytes(content)
        assert database.move_aside(file).read_bytes() == content
    assert len(list(file.parent.glob("*.damaged-NOW-*"))) == 2


def test_another_programs_database_is_left_alone(file: Path):
    file.parent.mkdir()
    connection = sqlite3.connect(file)
    connection.execute("CREATE TABLE theirs (id)")
    connection.commit()
    connection.close()
    before = file.read_bytes()
    assert refused(file).code == "store_foreign"
    assert file.read_bytes() == before


def test_a_file_of_a_newer_version_is_left_alone(file: Path):
    open_file(file, [Schema("notes", (*NOTES.migrations, ("ALTER TABLE notes ADD COLUMN more",)))]).close()
    before = file.read_bytes()
    assert refused(file).code == "store_newer"
    assert file.read_bytes() == before


def test_a_locked_file_is_an_error_at_once_until_some_time_has_passed(file: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(database, "LOCK_TIMEOUT", 0.0)
    now = [0.0]
    shared = Database(file, [NOTES], monotonic=lambda: now[0])
    file.parent.mkdir()
    other = sqlite3.connect(file, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    for _ in range(2):
        with pytest.raises(StoreError, match="locked") as caught:
            shared.connect()
        assert caught.value.code == "store_locked"
    other.close()
    with pytest.raises(StoreError, match="locked"):
        shared.connect()
    now[0] = database.RETRY_INTERVAL
    shared.connect().close()


def test_a_directory_that_cannot_be_made_is_an_error(tmp_path: Path):
    (tmp_path / "file").touch()
    assert "Not a directory" in refused(tmp_path / "file" / "store.sqlite3").message


def test_a_file_that_is_current_is_opened_without_a_write(file: Path):
    opened(file).close()
    other = sqlite3.connect(file, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    opened(file).close()
    other.close()


def test_damage_that_is_found_later_moves_the_file_aside_with_the_next_connection(file: Path):
    shared = Database(file, [NOTES])
    shared.connect().close()
    before = shared.identity()
    shared.report_damage()
    shared.connect().close()
    assert shared.identity() != before
    assert len(list(file.parent.glob("*.damaged-*"))) == 1


def test_a_file_that_is_not_there_has_no_identity_and_no_size(file: Path):
    assert Database(file, []).identity() is None
    assert file_size(file) == 0


def delete_notes(file: Path) -> None:
    with read_only(file) as connection:
        connection.execute("DELETE FROM notes")


def test_reading_beside_a_writer_changes_nothing(file: Path):
    connection = opened(file)
    connection.execute("INSERT INTO notes VALUES ('a')")
    with read_only(file) as reading:
        assert reading.execute("SELECT * FROM notes").fetchall() == [("a",)]

    with pytest.raises(StoreError, match="readonly"):
        delete_notes(file)
    connection.close()
    assert file_size(file) > 0


def test_reading_what_is_no_store_is_an_error(file: Path):
    with pytest.raises(StoreError), read_only(file):
        pass
    file.parent.mkdir()
    file.write_bytes(b"not a database at all " * 100)
    with pytest.raises(StoreError, match="damaged"), read_only(file):
        pass


def insert_twice(connection: sqlite3.Connection) -> None:
    with transaction(connection):
        connection.execute("INSERT INTO notes (rowid, text) VALUES (1, 'a')")
        connection.execute("INSERT INTO notes (rowid, text) VALUES (1, 'b')")


def test_a_transaction_that_fails_leaves_nothing(file: Path):
    connection = opened(file)
    with pytest.raises(sqlite3.IntegrityError):
        insert_twice(connection)
    assert connection.execute("SELECT * FROM notes").fetchall() == []
    connection.close()


def test_an_error_without_a_number_is_told_by_its_kind():
    assert store_error(sqlite3.ProgrammingError("closed")).message == "the store cannot be used: closed"
    assert store_error(ValueError("content")).message == "the store cannot be used: ValueError"
