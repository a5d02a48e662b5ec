"""The store's SQLite file: opening it, its permissions, what is done about a damaged one, and what errors mean."""

import contextlib
import logging
import os
import sqlite3
import stat
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from claude_proxy.errors import StoreError
from claude_proxy.files import make_directory, others_can_change
from claude_proxy.store.schema import Schema, is_current, migrate

log = logging.getLogger(__name__)

APPLICATION_ID = 0x436C5078  # "ClPx": how file(1) and we know the file
LOCK_TIMEOUT = 2.0
# While the file cannot be opened, requests fail at once instead of waiting for the lock each time.
RETRY_INTERVAL = 10.0

_DAMAGED = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
_CODES = {
    sqlite3.SQLITE_FULL: ("store_full", "the disk is full, or its quota is used up"),
    sqlite3.SQLITE_BUSY: ("store_locked", "another process has locked the file"),
    sqlite3.SQLITE_LOCKED: ("store_locked", "another process has locked the file"),
    sqlite3.SQLITE_CORRUPT: ("store_damaged", "the file is damaged"),
    sqlite3.SQLITE_NOTADB: ("store_damaged", "the file is damaged"),
}


class Database:
    """One SQLite file with the tables of `schemas`, opened by several threads. Blocking.

    A damaged file is moved aside and a new one begun. A file that belongs to another program, to another user, or to a
    newer version of this one is left alone.
    """

    def __init__(
        self, file: Path, schemas: Sequence[Schema], *, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self.file = file
        self._schemas = schemas
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._damaged = False
        self._failure: tuple[StoreError, float] | None = None

    def connect(self) -> sqlite3.Connection:
        """A connection in autocommit mode, with the tables up to date. Raises StoreError."""
        with self._lock:
            if self._failure is not None and self._monotonic() < self._failure[1]:
                raise copy_of(self._failure[0])
            try:
                connection = self._connect()
            except (sqlite3.Error, OSError, StoreError) as exc:
                error = store_error(exc)
                self._failure = error, self._monotonic() + RETRY_INTERVAL
                raise error from exc
            self._failure = None
            return connection

    def identity(self) -> tuple[int, int] | None:
        """Device and inode of the file; `None` when it is gone or damaged.

        A connection that was made with another identity must be made anew.
        """
        if self._damaged:
            return None
        try:
            info = self.file.stat()
        except OSError:
            return None
        return info.st_dev, info.st_ino

    def report_damage(self) -> None:
        """The file turned out to be damaged while it was used: the next `connect` moves it aside."""
        with self._lock:
            self._damaged = True

    def _connect(self) -> sqlite3.Connection:
        if self._damaged:
            move_aside(self.file)
            self._damaged = False
        try:
            return open_file(self.file, self._schemas)
        except sqlite3.Error as exc:
            if not is_damage(exc):
                raise
        move_aside(self.file)
        return open_file(self.file, self._schemas)


def open_file(file: Path, schemas: Sequence[Schema]) -> sqlite3.Connection:
    """Open or create `file` for reading and writing. Raises sqlite3.Error, OSError, StoreError."""
    _make_private(file)
    connection = sqlite3.connect(file, timeout=LOCK_TIMEOUT, isolation_level=None, check_same_thread=False)
    try:
        if connection.execute("PRAGMA page_count").fetchone() == (0,):
            # Must precede the first write; in a file that has pages it would only cost a write.
            connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
        _check_owner(connection)
        connection.execute("PRAGMA journal_mode = WAL").fetchone()
        # In WAL mode a crash of the process loses no commit; a power failure may lose the last ones, never the file.
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute("PRAGMA journal_size_limit = 4194304")
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA secure_delete = ON")  # deleted prompts do not stay in free pages
        if is_current(connection, schemas):  # reading goes on while the disk is full
            return connection
        with transaction(connection):
            _check_owner(connection)
            connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            migrate(connection, schemas)
    except BaseException:
        connection.close()
        raise
    return connection


@contextlib.contextmanager
def read_only(file: Path) -> Iterator[sqlite3.Connection]:
    """The existing `file`, for reading beside a running daemon. Raises StoreError."""
    connection = None
    try:
        connection = sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", timeout=LOCK_TIMEOUT, uri=True)
        _check_owner(connection)
        yield connection
    except sqlite3.Error as exc:
        raise store_error(exc) from exc
    finally:
        if connection is not None:
            connection.close()


@contextlib.contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """Commit what the block did, or nothing of it."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:  # SQLite ends the transaction itself after some errors
            connection.execute("ROLLBACK")
        raise


def store_error(exc: Exception) -> StoreError:
    """`exc` as an error without any content of the store. SQLite's messages name tables and columns, never values."""
    match exc:
        case StoreError():
            return exc
        case sqlite3.Error():
            number = getattr(exc, "sqlite_errorcode", 0) & 0xFF
            code, reason = _CODES.get(number, ("store_failed", str(exc)))
            return StoreError(f"the store cannot be used: {reason}", code=code)
        case OSError():
            return StoreError(f"the store cannot be used: {exc.strerror}")
    return StoreError(f"the store cannot be used: {type(exc).__name__}")


def is_damage(exc: BaseException) -> bool:
    return isinstance(exc, sqlite3.Error) and getattr(exc, "sqlite_errorcode", 0) & 0xFF in _DAMAGED


def move_aside(file: Path) -> Path:
    """Rename a damaged file and its write-ahead log, so that what can be recovered stays. Returns the new name."""
    stamp = time.strftime("%Y%m%dT%H%M%S")
    number = 0
    while (target := file.with_name(f"{file.name}.damaged-{stamp}-{number}")).exists():
        number += 1
    for suffix in ("", "-wal", "-shm"):
        with contextlib.suppress(FileNotFoundError):
            Path(f"{file}{suffix}").rename(f"{target}{suffix}")
    log.warning("the store was damaged; it is now %s, and a new one was begun", target)
    return target


def file_size(file: Path) -> int:
    """Bytes of the store on disk, the write-ahead log included; 0 when there is no store."""
    total = 0
    for suffix in ("", "-wal"):
        with contextlib.suppress(FileNotFoundError):
            total += Path(f"{file}{suffix}").stat().st_size
    return total


def _make_private(file: Path) -> None:
    """Create `file` with mode 0600, which SQLite copies to its other files; refuse one that others can change."""
    make_directory(file.parent)
    with contextlib.suppress(FileExistsError):
        os.close(os.open(file, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    for path in (file.parent, file):
        if others_can_change(path.stat()):
            raise StoreError(
                f"other users can change {path}",
                code="store_foreign",
                hint="make it yours alone, or move it away",
            )
    if os.name != "nt" and stat.S_IMODE(file.stat().st_mode) != 0o600:
        file.chmod(0o600)


def _check_owner(connection: sqlite3.Connection) -> None:
    """Raise StoreError when another program made the file."""
    (found,) = connection.execute("PRAGMA application_id").fetchone()
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if found != APPLICATION_ID and (found or tables):
        raise StoreError("another program made the file of the store", code="store_foreign", hint="move it away")


def copy_of(error: StoreError) -> StoreError:
    """A new object: one exception raised again and again would collect the tracebacks of all."""
    return StoreError(error.message, code=error.code, hint=error.hint)
