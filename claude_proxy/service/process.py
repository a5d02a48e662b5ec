"""A process identified by pid and start time, so that no signal reaches a later process with the same pid."""

import contextlib
import os
import select
import signal
import sys
import time
from pathlib import Path

from claude_proxy.service.record import Record

_INTERVAL = 0.01


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


class Process:
    """A running process that cannot be mistaken for a later one with the same number.

    Where the system has pidfds, one is opened before the start time is compared.
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
            time.sleep(_INTERVAL)
        return True
