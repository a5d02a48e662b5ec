"""Starting and stopping the daemon by our own hand: a detached process that logs into a file."""

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
from claude_proxy.service import probe
from claude_proxy.service.process import Process, Record, cannot_write, make_directory, read

# From spawning to healthy takes half a second; the bound is for a machine that swaps or compiles beside it.
START_TIMEOUT = 30.0
# What a daemon may need beyond its drain time: closing connections, flushing the log, ending the interpreter.
STOP_MARGIN = 5.0
SHOWN_LINES = 10
_TICK = 0.01
# CREATE_NEW_PROCESS_GROUP | DETACHED_PROCESS; elsewhere a session of its own does it.
_DETACHED = 0x00000208 if sys.platform == "win32" else 0


def serve_command(*arguments: str) -> list[str]:
    """The command line that runs the daemon in the foreground, with the interpreter that runs now.

    `-P` keeps the current directory off the module path: a project must not be able to replace our modules.
    """
    return [sys.executable, "-P", "-m", "claude_proxy", "serve", *arguments]


def start(
    paths: Paths, *, arguments: Sequence[str], environ: Mapping[str, str], timeout: float = START_TIMEOUT
) -> Record:
    """Start the daemon, and return once it answers as itself.

    Raises ServiceError with the reason and the last lines of its log when it ends, or stays silent for `timeout`.
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
            child.returncode = 0  # nobody's child any more: it outlives this process, and that is no leak
            return record
        if time.monotonic() > deadline:
            child.kill()
            child.wait()
            raise _failure(f"the daemon did not answer within {timeout:g} s", paths.log_file, before)
        time.sleep(_TICK)
    raise _failure(f"the daemon ended at once, with exit code {child.returncode}", paths.log_file, before)


def answering(paths: Paths, timeout: float = START_TIMEOUT) -> Record:
    """The daemon that somebody else has just started, once it answers. Raises ServiceError after `timeout`."""
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        record = read(paths.pid_file)
        if record and record.url and is_itself(record):
            return record
        time.sleep(_TICK)
    raise ServiceError(
        f"the daemon was started, and did not answer within {timeout:g} s", hint="see `claude-proxy logs`"
    )


def is_itself(record: Record) -> bool:
    """Whether what answers at the daemon's address is the daemon, not a program that was there first."""
    health = probe.get_json(record.url or "", "/health", timeout=2.0)
    return health is not None and health.get("instance") == record.instance


def stop(record: Record, *, waiting: Callable[[], None] = lambda: None) -> bool:
    """End the daemon: open answers may finish within its drain time, then it is killed. True if it had to be.

    On Windows, where no process can ask another one to end, it ends at once.
    `waiting` is called once when it takes more than a moment. Raises ServiceError when the process survives.
    """
    with Process(record) as process:
        if not process.send(signal.SIGTERM) or process.wait(1.0):
            return False
        waiting()
        if process.wait(record.drain + STOP_MARGIN):
            return False
        if process.send(getattr(signal, "SIGKILL", signal.SIGTERM)) and not process.wait(STOP_MARGIN):
            raise ServiceError(f"the daemon (pid {record.pid}) does not end, not even when killed")
    return True


def _open_log(file: Path) -> int:
    try:
        make_directory(file.parent)
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
        descriptor = os.open(file, flags, 0o600)
    except OSError as exc:
        raise cannot_write(file, exc) from exc
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise ServiceError(f"{file} is not an ordinary file", hint="move it away")
    if hasattr(os, "fchmod"):
        os.fchmod(descriptor, 0o600)
    return descriptor


def _spawn(command: Sequence[str], environ: Mapping[str, str], log: int) -> "subprocess.Popen[bytes]":
    # At home in the root directory: the daemon must not keep a disk from being unmounted.
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
    # On Windows a virtual environment's interpreter starts the real one, which has a number of its own. It can be
    # no other daemon: this is our turn to start one.
    return record.pid == child.pid or sys.platform == "win32"


def _failure(what: str, log_file: Path, offset: int) -> ServiceError:
    """The error for a start that failed. The daemon's own `error:` line is the reason, if it got to write one."""
    lines = _written_since(log_file, offset)
    reason = next((line.removeprefix("error: ") for line in reversed(lines) if line.startswith("error: ")), None)
    advice = next((line.removeprefix("hint: ") for line in reversed(lines) if line.startswith("hint: ")), None)
    if reason:
        return ServiceError(reason, hint=advice or f"the daemon's log is {log_file}")
    shown = "".join(f"\n  {line}" for line in lines[-SHOWN_LINES:])
    return ServiceError(what + (f"; its last words:{shown}" if shown else ""), hint=f"its log is {log_file}")


def _written_since(file: Path, offset: int) -> list[str]:
    try:
        with file.open("rb") as stream:
            stream.seek(offset)
            return stream.read(64 * 1024).decode("utf-8", "replace").splitlines()
    except OSError:
        return []
