"""Renewal of a login by its owner: the owner's program is run, once across all our processes, and left to finish.

Refresh tokens are single-use. A process that uses one and does not store the answer logs the user out. So this
program uses none, and never kills another program that may be about to store one: after TIMEOUT seconds it stops
waiting, and kills only after KILL_AFTER more. The lock that keeps our processes apart is inherited by the program:
it is held until the program ends, even when the process that started it is killed.
"""

import contextlib
import logging
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from claude_proxy.credentials.programs import find_program, without_secrets

if sys.platform != "win32":
    import fcntl

_log = logging.getLogger(__name__)

TIMEOUT = 15.0
KILL_AFTER = 120.0  # the Claude CLI waits 30 s for its token request and some 8 s for its own locks
_POLL_INTERVAL = 0.05
# A program that only renews needs neither.
_QUIET = {"DISABLE_AUTOUPDATER": "1", "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1"}


class Renewal:
    """One program that renews the login in the file `store` when it is run with each of `calls` in turn."""

    def __init__(
        self,
        program: str,
        calls: Sequence[Sequence[str]],
        store: Path,
        environ: Mapping[str, str],
        home: Path,
        *,
        keep: tuple[str, ...] = (),
    ) -> None:
        self._program = program
        self._calls = calls
        self._store = store
        self._environ = {"HOME": str(home), **without_secrets(environ, keep), **_QUIET}
        self._home = home

    def run(self, is_done: Callable[[], bool]) -> str | None:
        """Run the program until `is_done`; None, or why it could not be run. Blocks up to TIMEOUT seconds.

        After None the login may still be the old one: look again.
        """
        if sys.platform == "win32":  # where a program does not inherit a lock
            return f"renewing it is not available on Windows: run `{self._program}`"
        program = find_program(self._program, self._environ, self._home)
        if program is None:
            return f"the program `{self._program}`, which could renew it, was not found"
        end = time.monotonic() + TIMEOUT
        try:
            lock = self._open_lock()
        except OSError as exc:
            return f"{self._home} could not be opened: {exc.strerror}"
        if not _acquire(lock, end):
            os.close(lock)
            return None if is_done() else "another process has not finished renewing it"
        return self._run_calls(program, lock, end, is_done)

    def _run_calls(self, program: Path, lock: int, end: float, is_done: Callable[[], bool]) -> str | None:
        """As `run`. Releases the lock when the program has ended, which a thread waits for if it takes too long."""
        for call in self._calls:
            if is_done():  # by another process, or by the call before
                break
            try:
                process = self._start(program, call, lock)
            except OSError as exc:
                _release(lock)
                return f"{program} could not be run: {exc.strerror}"
            try:
                process.wait(max(0.0, end - time.monotonic()))
            except subprocess.TimeoutExpired:
                threading.Thread(target=_wait_and_release, args=(process, lock), name="renewal", daemon=True).start()
                return f"`{' '.join((self._program, *call))}` did not finish within {TIMEOUT:g} s"
        _release(lock)
        return None

    def _start(self, program: Path, call: Sequence[str], lock: int) -> subprocess.Popen[bytes]:
        _log.info("renewing a login: %s %s", self._program, " ".join(call))
        return subprocess.Popen(  # noqa: S603 - the user's own program, its arguments a list
            [program, *call],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=self._environ,
            cwd=self._home,  # not the current directory: a project has settings of its own
            start_new_session=True,  # so that a Ctrl-C in our terminal does not end it
            pass_fds=(lock,),
        )

    def _open_lock(self) -> int:
        """The store's directory, opened to be locked itself, so that no lock file of ours is made beside the logins."""
        directory = self._store.parent if self._store.parent.is_dir() else self._home
        return os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)


def _acquire(lock: int, end: float) -> bool:
    """Whether the lock was free before `end`."""
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= end:
                return False
            time.sleep(_POLL_INTERVAL)
        except OSError as exc:  # a file system without such locks: the program has locks of its own
            _log.debug("no lock beside the store: %s", exc.strerror)
            return True
        else:
            return True


def _release(lock: int) -> None:
    # Unlock it, not only close it: a process that the program left behind may have inherited it.
    with contextlib.suppress(OSError):
        fcntl.flock(lock, fcntl.LOCK_UN)
    os.close(lock)


def _wait_and_release(process: subprocess.Popen[bytes], lock: int) -> None:
    """Wait for a program that took too long, kill it at last, and release the lock."""
    try:
        process.wait(KILL_AFTER)
    except subprocess.TimeoutExpired:
        process.kill()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(KILL_AFTER)
    _release(lock)
