"""A thread that has its own connection to the store and works through a bounded queue of jobs.

The writer commits all jobs that wait in one transaction, each in a savepoint of its own: a job that fails takes nothing
with it. A future is done only after its job was committed. The reader works beside it, on a snapshot.
"""

import asyncio
import contextlib
import sqlite3
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from claude_proxy.errors import StoreError
from claude_proxy.store.database import Database, copy_of, is_damage, store_error, transaction

T = TypeVar("T")
Work = Callable[[sqlite3.Connection], T]

MAX_JOBS = 1000
MAX_BYTES = 64 * 1024 * 1024
MAX_BATCH = 200


@dataclass(frozen=True, eq=False)
class _Job:
    work: Work[Any]
    size: int
    loop: asyncio.AbstractEventLoop
    future: "asyncio.Future[Any]"
    alone: bool


_Outcome = tuple[_Job, Any, Exception | None]


class Worker:
    """The thread and its queue. The thread starts with the first job, and never holds up the end of the process."""

    def __init__(
        self, name: str, database: Database, *, idle: float | None = None, max_batch_bytes: int = MAX_BYTES
    ) -> None:
        self._name = name
        self._database = database
        self._idle = idle
        self._max_batch_bytes = max_batch_bytes
        self._jobs: deque[_Job] = deque()
        self._bytes = 0
        self._changed = threading.Condition()
        self._closing = False
        self._thread: threading.Thread | None = None
        self._connection: sqlite3.Connection | None = None
        self._identity: tuple[int, int] | None = None

    def submit(self, work: Work[T], size: int = 0, *, alone: bool = False) -> "asyncio.Future[T]":
        """Queue `work`, which the thread calls with its connection; `size` is about how many bytes it holds.

        `work` may be called again after an error, and runs in a transaction unless it is `alone`. Raises StoreError
        when the queue is full or `size` too large; the future raises it when the work or its commit fails.
        """
        loop = asyncio.get_running_loop()
        with self._changed:
            if self._closing:
                raise StoreError("the store is closed", code="store_closed")
            if size > self._max_batch_bytes:
                raise StoreError(f"{size} bytes are too many for the store", code="store_too_large")
            if len(self._jobs) >= MAX_JOBS or (self._jobs and self._bytes + size > MAX_BYTES):
                raise StoreError("the store cannot keep up", code="store_busy")
            job = _Job(work, size, loop, loop.create_future(), alone)
            self._jobs.append(job)
            self._bytes += size
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
                self._thread.start()
            self._changed.notify()
        return job.future

    def close(self) -> None:
        """Let the thread end once it has done the jobs that wait. Does not block."""
        with self._changed:
            self._closing = True
            self._changed.notify()

    def join(self, timeout: float) -> None:
        """Wait for the thread to end. Blocking."""
        if self._thread is not None:
            self._thread.join(timeout)

    def _run(self) -> None:
        while (batch := self._take()) is not None:
            _settle(self._outcomes(batch) if batch else [])
            if not batch:
                self._on_idle()
        self._disconnect()

    def _take(self) -> list[_Job] | None:
        """The jobs that wait; none after a time without any; `None` at the end."""
        with self._changed:
            self._changed.wait_for(lambda: self._jobs or self._closing, self._idle)
            if not self._jobs:
                return None if self._closing else []
            batch = [self._jobs.popleft()]
            size = batch[0].size
            while self._jobs and len(batch) < MAX_BATCH and size + self._jobs[0].size <= self._max_batch_bytes:
                if batch[0].alone or self._jobs[0].alone:
                    break
                batch.append(self._jobs.popleft())
                size += batch[-1].size
            self._bytes -= size
            return batch

    def _outcomes(self, batch: list[_Job]) -> list[_Outcome]:
        try:
            connection = self._connect()
        except (StoreError, sqlite3.Error) as exc:
            return [(job, None, copy_of(store_error(exc))) for job in batch]
        outcomes = self._work(connection, batch)
        if any(is_damage(error) for _, _, error in outcomes if error is not None):
            self._database.report_damage()
            self._disconnect()
        return [(job, result, error and _as_store_error(error)) for job, result, error in outcomes]

    def _work(self, connection: sqlite3.Connection, batch: list[_Job]) -> list[_Outcome]:
        return [_outcome(connection, job) for job in batch]

    def _on_idle(self) -> None:
        """Nothing to do for some time."""

    def _connect(self) -> sqlite3.Connection:
        identity = self._database.identity()
        if self._connection is not None and identity is not None and identity == self._identity:
            return self._connection
        self._disconnect()
        self._connection = self._database.connect()
        self._identity = self._database.identity()
        self._prepare(self._connection)
        return self._connection

    def _prepare(self, connection: sqlite3.Connection) -> None:
        """Called with each new connection."""

    def _disconnect(self) -> None:
        if self._connection is not None:
            with contextlib.suppress(sqlite3.Error):
                self._connection.close()
            self._connection = None


class Reader(Worker):
    """A connection that cannot write."""

    def _prepare(self, connection: sqlite3.Connection) -> None:
        connection.execute("PRAGMA query_only = ON")


class Writer(Worker):
    """The only thread of this process that writes. `maintain(connection, incoming)` runs before each batch.

    `incoming` is the number of bytes that are about to be written; when the writer is idle it is -1.
    """

    def __init__(
        self,
        name: str,
        database: Database,
        maintain: Callable[[sqlite3.Connection, int], None],
        *,
        idle: float | None = None,
        max_batch_bytes: int = MAX_BYTES,
    ) -> None:
        super().__init__(name, database, idle=idle, max_batch_bytes=max_batch_bytes)
        self._maintain = maintain

    def _work(self, connection: sqlite3.Connection, batch: list[_Job]) -> list[_Outcome]:
        try:
            self._maintain(connection, sum(job.size for job in batch))
        except sqlite3.Error as exc:
            return [(job, None, exc) for job in batch]
        if batch[0].alone:
            return [_outcome(connection, batch[0])]
        try:
            return _committed(connection, batch)
        except sqlite3.Error as exc:
            if len(batch) == 1 or is_damage(exc):
                return [(job, None, exc) for job in batch]
        # Perhaps one job was too large for the disk: the others must not fail with it.
        return [outcome for job in batch for outcome in self._alone(connection, job)]

    def _alone(self, connection: sqlite3.Connection, job: _Job) -> list[_Outcome]:
        try:
            return _committed(connection, [job])
        except sqlite3.Error as exc:
            return [(job, None, exc)]

    def _on_idle(self) -> None:
        if self._connection is None:
            return
        try:
            self._maintain(self._connection, -1)
        except sqlite3.Error:  # the next write meets the same error and reports it
            self._disconnect()


def _committed(connection: sqlite3.Connection, batch: list[_Job]) -> list[_Outcome]:
    """What came of each job, after the commit of all. Raises sqlite3.Error when nothing was committed."""
    outcomes = []
    with transaction(connection):
        for job in batch:
            connection.execute("SAVEPOINT job")
            outcome = _outcome(connection, job)
            error = outcome[2]
            if error is not None and not connection.in_transaction:  # SQLite has rolled back everything
                raise error
            if error is not None:
                connection.execute("ROLLBACK TO job")
            connection.execute("RELEASE job")
            outcomes.append(outcome)
    return outcomes


def _outcome(connection: sqlite3.Connection, job: _Job) -> _Outcome:
    try:
        return job, job.work(connection), None
    except Exception as exc:  # noqa: BLE001 - raised again where the future is awaited
        return job, None, exc


def _as_store_error(error: Exception) -> Exception:
    """`error` as its caller gets it: SQLite's as a StoreError, an unexpected one unchanged."""
    return store_error(error) if isinstance(error, sqlite3.Error) else error


def _settle(outcomes: list[_Outcome]) -> None:
    """Finish the futures, each in its own event loop; one call per loop and batch."""
    by_loop: dict[asyncio.AbstractEventLoop, list[_Outcome]] = {}
    for outcome in outcomes:
        by_loop.setdefault(outcome[0].loop, []).append(outcome)
    for loop, its in by_loop.items():
        try:
            loop.call_soon_threadsafe(_finish, its)
        except RuntimeError:  # the loop has closed meanwhile
            continue


def _finish(outcomes: list[_Outcome]) -> None:
    for job, result, error in outcomes:
        if job.future.done():  # cancelled: the caller does not wait any more
            continue
        if error is not None:
            job.future.set_exception(error)
        else:
            job.future.set_result(result)
