"""The daemon as a detached process that logs into a file: starting it without a service manager, and stopping it."""

import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from claude_proxy.errors import ServiceError
from claude_proxy.paths import Paths
from claude_proxy.service.probe import is_itself
from claude_proxy.service.process import Process
from claude_proxy.service.record import Record, read
from claude_proxy.service.state import cannot_write, make_state_directory

# A start takes half a second; the bound leaves room for a machine that swaps or is busy.
START_TIMEOUT = 30.0
# What a daemon may need beyond its drain time: closing connections, flushing the log, ending the interpreter.
STOP_MARGIN = 5.0
SHOWN_LINES = 10
_INTERVAL = 0.01
# CREATE_NEW_PROCESS_GROUP | DETACHED_PROCESS; other systems detach it by a new session.
_DETACHED = 0x00000208 if sys.platform == "win32" else 0


def serve_command(*arguments: str) -> list[str]:
    """The command line that runs the daemon in the foreground, with the interpreter that runs now.

    `-P` keeps the current directory off the module path: a project must not be able to replace our modules.
    """
    return [sys.executable, "-P", "-m", "claude_proxy", "serve", *arguments]


def start(
    paths: Paths, *, arguments: Sequence[str], environ: Mapping[str, str], timeout: float = START_TIMEOUT
) -> Record:
    """Start the daemon; returns once it answers.

    Raises ServiceError with the reason and the last lines of its log when it ends or does not answer within `timeout`.
    """
    descriptor = _open_log(paths.log_file)
    try:
        before = os.fstat(descriptor).st_size
        child = _spawn(serve_command("--background", *arguments), environ, descriptor)
    finally:
        os.close(descriptor)
    deadline = time.monotonic() + timeout
    while child.poll() is None:
        record = read(paths.pid_file)
        if record and _is_child(record, child) and record.url and is_itself(record):
            child.returncode = 0  # it outlives this process on purpose, so Popen must not warn about it
            return record
        if time.monotonic() > deadline:
            child.kill()
            child.wait()
            raise _failure(f"the daemon did not answer within {timeout:g} s", paths.log_file, before)
        time.sleep(_INTERVAL)
    raise _failure(f"the daemon ended at once, with exit code {child.returncode}", paths.log_file, before)


def wait_until_ready(paths: Paths, timeout: float = START_TIMEOUT) -> Record:
    """The daemon that a service manager has just started, once it answers. Raises ServiceError after `timeout`."""
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        record = read(paths.pid_file)
        if record and record.url and is_itself(record):
            return record
        time.sleep(_INTERVAL)
    raise ServiceError(
        f"the daemon was started, and did not answer within {timeout:g} s", hint="see `claude-proxy logs`"
    )


def stop(record: Record, *, waiting: Callable[[], None] = lambda: None) -> bool:
    """Stop the daemon: open answers may finish within its drain time, then it is killed. True if it had to be killed.

    On Windows, where a process cannot ask another one to stop, it is ended at once. `waiting` is called once when
    stopping takes more than a second. Raises ServiceError when the process survives.
    """
    with Process(record) as process:
        if not process.send(signal.SIGTERM) or process.wait(1.0):
            return False
        waiting()
        if process.wait(record.drain + STOP_MARGIN):
            return False
        if process.send(getattr(signal, "SIGKILL", signal.SIGTERM)) and not process.wait(STOP_MARGIN):
            raise ServiceError(f"the daemon (pid {record.pid}) did not end, even when killed")
    return True


def check_log(file: Path) -> None:
    """Raise ServiceError when `file` cannot be the daemon's log. Opening a FIFO without a reader would block."""
    os.close(_open_log(file))


def _open_log(file: Path) -> int:
    make_state_directory(file)
    try:
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
        descriptor = os.open(file, flags, 0o600)
    except OSError as exc:
        raise cannot_write(file, exc) from exc
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise ServiceError(f"{file} is not a regular file", hint="rename or remove it")
    if hasattr(os, "fchmod"):
        os.fchmod(descriptor, 0o600)
    return descriptor


def _spawn(command: Sequence[str], environ: Mapping[str, str], log: int) -> "subprocess.Popen[bytes]":
    # In the root directory, because a working directory on another disk would keep that from being unmounted.
    return subprocess.Popen(  # noqa: S603 - our own interpreter and module
        command,
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
        cwd=Path(sys.executable).anchor or None,
        env=dict(environ),
        start_new_session=True,
        creationflags=_DETACHED,
    )


def _is_child(record: Record, child: "subprocess.Popen[bytes]") -> bool:
    # On Windows a virtual environment's interpreter starts the real one, which has another pid. It cannot be another
    # daemon, because this command holds the lock for starting one.
    return record.pid == child.pid or sys.platform == "win32"


def _failure(what: str, log_file: Path, offset: int) -> ServiceError:
    """The error for a start that failed. The reason is the `error:` line that the daemon wrote, if it wrote one."""
    lines = _written_since(log_file, offset)
    reason = next((line.removeprefix("error: ") for line in reversed(lines) if line.startswith("error: ")), None)
    advice = next((line.removeprefix("hint: ") for line in reversed(lines) if line.startswith("hint: ")), None)
    if reason:
        return ServiceError(reason, hint=advice or f"the daemon's log is {log_file}")
    shown = "".join(f"\n  {line}" for line in lines[-SHOWN_LINES:])
    return ServiceError(what + (f"; the end of its log:{shown}" if shown else ""), hint=f"its log is {log_file}")


def _written_since(file: Path, offset: int) -> list[str]:
    try:
        with file.open("rb") as stream:
            stream.seek(offset)
            return stream.read(64 * 1024).decode("utf-8", "replace").splitlines()
    except OSError:
        return []
