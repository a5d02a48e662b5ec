"""The launcher as it is run: a program of its own."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from claude_proxy.upstream.claude_cli import launcher

LAUNCHER = str(Path(launcher.__file__))
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="PR_SET_PDEATHSIG is Linux's")

# A parent that starts a program by the launcher, tells its pid and waits.
PARENT = """if True:
    import os, subprocess, sys, time
    child = subprocess.Popen([sys.executable, "-I", "-S", sys.argv[1], str(os.getpid()), "/bin/sleep", "60"])
    print(child.pid, flush=True)
    time.sleep(60)
"""


def is_alive(pid: int) -> bool:
    """Whether `pid` runs; a zombie does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_the_program_takes_its_place() -> None:
    command = [sys.executable, "-I", "-S", LAUNCHER, str(os.getpid()), "/bin/echo", "hello"]
    assert subprocess.run(command, capture_output=True, check=True, timeout=30).stdout == b"hello\n"


def test_a_kill_of_the_parent_ends_the_program_within_two_seconds() -> None:
    with subprocess.Popen([sys.executable, "-c", PARENT, LAUNCHER], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        wait_until(lambda: Path(f"/proc/{child}/cmdline").read_text().startswith("/bin/sleep"))
        os.kill(parent.pid, signal.SIGKILL)
        killed = time.monotonic()
        wait_until(lambda: not is_alive(child))
        assert time.monotonic() - killed < 2


def test_a_parent_that_is_gone_already_starts_nothing() -> None:
    command = [sys.executable, "-I", "-S", LAUNCHER, "1", "/bin/echo", "hello"]
    done = subprocess.run(command, capture_output=True, check=False, timeout=30)
    assert (done.returncode, done.stdout) == (1, b"")


def test_a_program_that_is_not_there_is_named() -> None:
    command = [sys.executable, "-I", "-S", LAUNCHER, str(os.getpid()), "/nowhere/claude"]
    done = subprocess.run(command, capture_output=True, check=False, timeout=30)
    assert done.returncode == 127
    assert b"/nowhere/claude: No such file" in done.stderr


def wait_until(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + 10
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.01)
