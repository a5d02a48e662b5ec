"""Which process is the daemon, and which command may start or stop it.

Two files are in the state directory. The daemon holds an exclusive lock on `claude-proxy.lock` while it runs, and
`claude-proxy.pid` says which process that is. A process is taken for the daemon when three facts agree: the lock is
held, the pid is alive, and it started when the pidfile says. Any other pidfile is a leftover: it is ignored, and no
process is signalled because of it.

Commands that start or stop the daemon hold a third file's lock, one at a time: twenty concurrent starts give one
daemon, and a stop waits for the start before it.
"""

import contextlib
import os
import time
from collections.abc import Iterator
from pathlib import Path

from msgspec import structs

from claude_proxy.errors import ServiceError
from claude_proxy.paths import Paths
from claude_proxy.service.lock import Lock, is_locked
from claude_proxy.service.process import is_alive, start_time
from claude_proxy.service.record import Manager, Record, read, write

# How long a pidfile may be missing while its lock is held: a daemon writes it right after locking.
SETTLE = 1.0
_INTERVAL = 0.01


def find(paths: Paths) -> Record | None:
    """The daemon that runs now, or None.

    Raises ServiceError when one runs that the pidfile does not identify.
    """
    deadline = time.monotonic() + SETTLE
    while is_locked(paths.lock_file):
        record = read(paths.pid_file)
        if record is not None and is_alive(record):
            return record
        if time.monotonic() > deadline:
            raise ServiceError(
                f"a daemon holds {paths.lock_file}, but {paths.pid_file.name} does not identify it",
                hint=f"`fuser {paths.lock_file}` shows its process; end it yourself",
            )
        time.sleep(_INTERVAL)
    return None


@contextlib.contextmanager
def exclusive(paths: Paths, timeout: float = 60.0) -> Iterator[None]:
    """Keep other commands from starting or stopping the daemon. Raises ServiceError when one takes too long."""
    lock = Lock(paths.command_lock_file)
    if not lock.acquire(timeout):
        raise ServiceError(
            "another claude-proxy command has been starting or stopping the daemon for too long",
            hint=f"`fuser {paths.command_lock_file}` shows its process",
        )
    try:
        yield
    finally:
        lock.release()


class Claim:
    """This process as the daemon: made by `claim`."""

    def __init__(self, paths: Paths, record: Record) -> None:
        self._file = paths.pid_file
        self.record = record
        write(self._file, record)

    def listening(self, url: str) -> None:
        """Publish where the daemon listens."""
        self._write(url)

    def stopping(self) -> None:
        """Withdraw the address: once the port is closed, another program may listen there."""
        with contextlib.suppress(ServiceError):  # a full disk must not keep the daemon from stopping
            self._write(None)

    def _write(self, url: str | None) -> None:
        self.record = structs.replace(self.record, url=url)
        write(self._file, self.record)


@contextlib.contextmanager
def claim(
    paths: Paths,
    *,
    manager: Manager,
    drain: float,
    flags: dict[str, str] | None = None,
    key_file: Path | None = None,
    log: Path | None = None,
) -> Iterator[Claim]:
    """Be the daemon within this context. Raises ServiceError when another process is."""
    lock = Lock(paths.lock_file)
    # Longer than another command's `is_locked` can hold the lock.
    if not lock.acquire(SETTLE):
        other = find(paths)
        raise ServiceError(
            "claude-proxy is already running" + (f" (pid {other.pid})" if other else ""),
            hint="`claude-proxy status` shows it, `claude-proxy stop` ends it",
        )
    try:
        pid = os.getpid()
        yield Claim(
            paths,
            Record(
                pid=pid,
                started=start_time(pid) or 0.0,
                since=time.time(),
                manager=manager,
                instance=os.urandom(16).hex(),
                drain=drain,
                flags=flags or {},
                key_file=str(key_file) if key_file else None,
                log=_utf8(log) if log else None,
            ),
        )
    finally:
        with contextlib.suppress(OSError):
            paths.pid_file.unlink()
        lock.release()


def _utf8(path: Path) -> str:
    """`path` as text that JSON can hold, also when its bytes are not UTF-8."""
    return str(path).encode("utf-8", "backslashreplace").decode()
