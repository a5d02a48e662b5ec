"""Which process is the daemon: its lock, its pidfile, and signals that reach nobody else.

Two files lie in the state directory. The daemon holds an exclusive lock on `claude-proxy.lock` while it lives;
the kernel drops the lock with the process, however that ends. `claude-proxy.pid` says who holds it. A process is
taken for the daemon when all three agree: the lock is held, the pid lives, and it started when the pidfile says.
Whatever else a pidfile says is a leftover: it is ignored, and nobody is signalled.

Commands that start or stop the daemon take turns by a third file, so that twenty starts give one daemon and a
stop waits for the start before it.
"""

import contextlib
import json
import os
import select
import signal
import stat
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Literal, get_args

from claude_proxy.errors import ServiceError
from claude_proxy.paths import Paths

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

Manager = Literal["background", "foreground", "systemd", "launchd"]

MAX_PIDFILE = 4096
# How long a pidfile may be missing while its lock is held: a daemon writes it right after locking.
SETTLE = 1.0
_TICK = 0.01


@dataclass(frozen=True)
class Record:
    """What the pidfile says. `url` is None until the daemon listens; `drain` is how long it may take to end.

    `flags` are the settings that its command line gave, as texts: a restart keeps them. `key_file` holds the key that
    it demands of every request.
    """

    pid: int
    started: float
    since: float
    manager: Manager
    instance: str
    drain: float
    flags: dict[str, str]
    key_file: str | None = None
    log: str | None = None
    url: str | None = None


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
                hint=f"`fuser {paths.lock_file}` shows its process; end that one by hand",
            )
        time.sleep(_TICK)
    return None


def is_alive(record: Record) -> bool:
    """Whether the process that `record` names lives and is the one that wrote it."""
    started = start_time(record.pid)
    return started is not None and abs(started - record.started) < 1


def start_time(pid: int) -> float | None:
    """When process `pid` started, in a unit that only equals itself; None if it is gone or a zombie.

    On Linux these are clock ticks since boot, which no adjustment of the clock moves.
    """
    return _ticks(pid) if sys.platform == "linux" else _created(pid)


def _ticks(pid: int) -> float | None:
    try:
        line = Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        return None
    # The name, in parentheses, may hold blanks and parentheses itself.
    state, *rest = line[line.rindex(b")") + 2 :].split()
    return None if state in (b"Z", b"X") else float(rest[18])


def _created(pid: int) -> float | None:
    import psutil  # noqa: PLC0415 - costs as much as a whole command, and only other systems need it

    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else float(process.create_time())
    except psutil.Error:
        return None


def read(file: Path) -> Record | None:
    """The pidfile's record; None when there is no file, or what is there was not written by this program."""
    try:
        descriptor = os.open(file, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))
    except OSError:
        return None
    with os.fdopen(descriptor, "rb") as stream:
        if not _is_our_file(os.fstat(descriptor)):
            return None
        data = stream.read(MAX_PIDFILE + 1)
    try:
        return _record(json.loads(data)) if len(data) <= MAX_PIDFILE else None
    except (ValueError, RecursionError):
        return None


def _is_our_file(info: os.stat_result) -> bool:
    return stat.S_ISREG(info.st_mode) and (not hasattr(os, "getuid") or info.st_uid == os.getuid())


_TYPES: dict[str, tuple[type, ...]] = {
    "pid": (int,),
    "started": (int, float),
    "since": (int, float),
    "manager": (str,),
    "instance": (str,),
    "drain": (int, float),
    "flags": (dict,),
    "key_file": (str, type(None)),
    "log": (str, type(None)),
    "url": (str, type(None)),
}


def _record(data: object) -> Record | None:
    """`data` as a Record if every field is there and right. A pid of 1, 0 or below names init, us or everybody."""
    if not isinstance(data, dict) or data.keys() != {item.name for item in fields(Record)}:
        return None
    for name, types in _TYPES.items():
        if not isinstance(data[name], types) or isinstance(data[name], bool):
            return None
    if not all(isinstance(text, str) for text in data["flags"].values()):
        return None
    if data["pid"] <= 1 or data["pid"] > 2**31 - 1 or data["manager"] not in get_args(Manager):
        return None
    return Record(**data)


class Lock:
    """An advisory lock on a file, held until released or until this process ends."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._descriptor: int | None = None

    def acquire(self, timeout: float) -> bool:
        """Take the lock within `timeout` seconds. Raises ServiceError when the file cannot be made."""
        deadline = time.monotonic() + timeout
        descriptor = _open_lock(self._file)
        while not _try_lock(descriptor, shared=False):
            if time.monotonic() >= deadline:
                os.close(descriptor)
                return False
            time.sleep(_TICK)
        self._descriptor = descriptor
        return True

    def release(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def is_locked(file: Path) -> bool:
    """Whether some process holds the lock on `file`. Looking makes nothing and keeps nobody out for long."""
    try:
        descriptor = os.open(file, os.O_RDWR | getattr(os, "O_NOFOLLOW", 0))
    except OSError:
        return False
    try:
        return not _try_lock(descriptor, shared=True)
    finally:
        os.close(descriptor)


def _open_lock(file: Path) -> int:
    try:
        make_directory(file.parent)
        return os.open(file, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o600)
    except OSError as exc:
        raise cannot_write(file, exc) from exc


def _try_lock(descriptor: int, *, shared: bool) -> bool:
    try:
        if sys.platform == "win32":
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        else:
            fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def make_directory(directory: Path) -> None:
    """Make `directory`, for this user only."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)


def cannot_write(file: Path, exc: OSError) -> ServiceError:
    """The error for a file of ours that cannot be written."""
    return ServiceError(
        f"cannot write {file}: {exc.strerror}",
        hint=f"make {file.parent} a directory that you can write to, or set XDG_STATE_HOME to one",
    )


@contextlib.contextmanager
def turn(paths: Paths, timeout: float = 60.0) -> Iterator[None]:
    """This command's turn to start or stop the daemon. Raises ServiceError when another one takes too long."""
    lock = Lock(paths.turn_file)
    if not lock.acquire(timeout):
        raise ServiceError(
            "another claude-proxy command has been starting or stopping the daemon for too long",
            hint=f"`fuser {paths.turn_file}` shows its process",
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
        """Say where the daemon listens."""
        self.record = replace(self.record, url=url)
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
    """Be the daemon for the length of this context. Raises ServiceError when another process is."""
    lock = Lock(paths.lock_file)
    # Longer than a look by another command (`is_locked`) can hold it.
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
                log=str(log) if log else None,
            ),
        )
    finally:
        with contextlib.suppress(OSError):
            paths.pid_file.unlink()
        lock.release()


def write(file: Path, record: Record) -> None:
    """Replace the pidfile in one step; a link in its place is replaced, not followed. For the lock's holder only."""
    fresh = file.with_suffix(".new")
    try:
        with contextlib.suppress(FileNotFoundError):
            fresh.unlink()
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            json.dump(asdict(record), stream)
        _replace(fresh, file)
    except OSError as exc:
        raise cannot_write(file, exc) from exc


def _replace(fresh: Path, file: Path) -> None:
    deadline = time.monotonic() + SETTLE
    while True:
        try:
            fresh.replace(file)
        except PermissionError:  # on Windows, while a command reads it
            if str(sys.platform) != "win32" or time.monotonic() > deadline:
                raise
            time.sleep(_TICK)
        else:
            return


class Process:
    """A living process that cannot be mistaken for a later one with the same number.

    Where the system has them, a pidfd pins it; the start time is compared after that.
    """

    def __init__(self, record: Record) -> None:
        self._record = record
        self._pidfd: int | None = None
        if hasattr(os, "pidfd_open"):
            with contextlib.suppress(OSError):
                self._pidfd = os.pidfd_open(record.pid)

    def __enter__(self) -> "Process":
        return self

    def __exit__(self, *_: object) -> None:
        if self._pidfd is not None:
            os.close(self._pidfd)

    def send(self, number: signal.Signals) -> bool:
        """Send a signal; False when the process is gone."""
        if not is_alive(self._record):
            return False
        try:
            if self._pidfd is not None:
                signal.pidfd_send_signal(self._pidfd, number)
            else:
                os.kill(self._record.pid, number)
        except ProcessLookupError:
            return False
        return True

    def wait(self, timeout: float) -> bool:
        """Whether the process ended within `timeout` seconds."""
        if self._pidfd is not None:
            poll = select.poll()
            poll.register(self._pidfd, select.POLLIN)
            return bool(poll.poll(timeout * 1000))
        deadline = time.monotonic() + timeout
        while is_alive(self._record):
            if time.monotonic() >= deadline:
                return False
            time.sleep(_TICK)
        return True
