"""An advisory lock on a file: the kernel drops it with the process that holds it, however that ends."""

import os
import sys
import time
from pathlib import Path

from claude_proxy.service.state import cannot_write, make_state_directory

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

_INTERVAL = 0.01


class Lock:
    """A lock that is held until it is released or this process ends."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._descriptor: int | None = None

    def acquire(self, timeout: float) -> bool:
        """Take the lock within `timeout` seconds. Raises ServiceError when the file cannot be made."""
        deadline = time.monotonic() + timeout
        descriptor = _open(self._file)
        while not try_lock(descriptor, shared=False):
            if time.monotonic() >= deadline:
                os.close(descriptor)
                return False
            time.sleep(_INTERVAL)
        self._descriptor = descriptor
        return True

    def release(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def is_locked(file: Path) -> bool:
    """Whether some process holds the lock on `file`. Creates no file; holds a shared lock for a moment."""
    try:
        descriptor = os.open(file, os.O_RDWR | getattr(os, "O_NOFOLLOW", 0))
    except OSError:
        return False
    try:
        return not try_lock(descriptor, shared=True)
    finally:
        os.close(descriptor)


def try_lock(descriptor: int, *, shared: bool) -> bool:
    """Lock an open file without waiting; False when another process holds it."""
    try:
        if sys.platform == "win32":
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        else:
            fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _open(file: Path) -> int:
    make_state_directory(file)
    try:
        return os.open(file, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o600)
    except OSError as exc:
        raise cannot_write(file, exc) from exc
