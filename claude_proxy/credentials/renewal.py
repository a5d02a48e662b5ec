"""A login's owner renews it: its program is run, once across all our processes, and left to finish.

Refresh tokens are single-use. Whoever spends one and does not get to store the answer has logged the user out, so
we spend none, and never end a program that may be about to store one: past the deadline it is no longer waited
for, but only ended after GIVE_UP. The lock that keeps our processes apart is inherited by the program: it is held
until the program ends, even when the process that started it is killed.
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

DEADLINE = 15.0
GIVE_UP = 120.0  # the Claude CLI waits 30 s for its token request and some 8 s for its own locks
_POLL = 0.05
# What a program that only renews has no use for.
_QUIET = {"DISABLE_AUTOUPDATER": "1", "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1"}


class Renewal:
    """One program that renews what lies in `store`, when it is called with each of `calls` in turn."""

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
        """Call the program until `is_done`; None, or why it could not be called. Blocks up to DEADLINE seconds.

        None is no promise that anything was renewed: look again.
        """
        if sys.platform == "win32":  # whose locks are not inherited by a program
            return f"renewing it is not available on Windows: run `{self._program}`"
        program = find_program(self._program, self._environ, self._home)
        if program is None:
            return f"the program `{self._program}`, which could renew it, was not found"
        end = time.monotonic() + DEADLINE
        try:
            lock = self._open_lock()
        except OSError as exc:
            return f"{self._home} could not be opened: {exc.strerror}"
        if not _taken(lock, end):
            os.close(lock)
            return None if is_done() else "another process has not finished renewing it"
        for call in self._calls:
            if is_done():  # by somebody else, or by the call before
                break
            try:
                process = self._start(program, call, lock)
            except OSError as exc:
                _release(lock)
                return f"{program} could not be run: {exc.strerror}"
            try:
                process.wait(max(0.0, end - time.monotonic()))
            except subprocess.TimeoutExpired:
                threading.Thread(target=_see_off, args=(process, lock), name="renewal", daemon=True).start()
                return f"`{' '.join((self._program, *call))}` did not finish within {DEADLINE:g} s"
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
            cwd=self._home,  # not where the user happens to stand: a project has settings of its own
            start_new_session=True,  # a Ctrl-C is meant for us
            pass_fds=(lock,),
        )

    def _open_lock(self) -> int:
        """The directory of the store, to be locked as it is: no file of ours has to lie beside somebody's logins."""
        directory = self._store.parent if self._store.parent.is_dir() else self._home
        return os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)


def _taken(lock: int, end: float) -> bool:
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= end:
                return False
            time.sleep(_POLL)
        except OSError as exc:  # a file system without such locks: the program has locks of its own
            _log.debug("no lock beside the store: %s", exc.strerror)
            return True
        else:
            return True


def _release(lock: int) -> None:
    # Unlocked, not only closed: something that the program left behind may have inherited it.
    with contextlib.suppress(OSError):
        fcntl.flock(lock, fcntl.LOCK_UN)
    os.close(lock)


def _see_off(process: subprocess.Popen[bytes], lock: int) -> None:
    try:
        process.wait(GIVE_UP)
    except subprocess.TimeoutExpired:
        process.kill()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(GIVE_UP)
    _release(lock)
