"""What can be known of Windows without one: everything loads, and the commands work without what it does not have.

Each test runs a process that has been robbed of the modules, functions and constants that Windows lacks, under that
system's name. Its own ways of doing things (its pipes, its consoles, its file locks) are not tried by this.
"""

import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.cli.conftest import environment

WINDOWS = """
import asyncio, asyncio.unix_events, fcntl, importlib, os, pkgutil, signal, ssl, subprocess, sys, types
import aiohttp, click, keyring.backends.null, msgspec, platformdirs, psutil  # which look at the system as they load

locked = fcntl.flock, fcntl.LOCK_EX | fcntl.LOCK_NB
msvcrt = types.SimpleNamespace(LK_NBLCK=2, locking=lambda descriptor, mode, length: locked[0](descriptor, locked[1]))
sys.modules.update(dict.fromkeys(("fcntl", "grp", "pwd", "resource", "termios", "uvloop")), msvcrt=msvcrt)
for module, names in {
    os: "getuid killpg fchmod pidfd_open O_NOFOLLOW O_NONBLOCK O_DIRECTORY O_CLOEXEC",
    signal: "SIGHUP SIGKILL alarm pidfd_send_signal",
}.items():
    for name in names.split():
        if hasattr(module, name):
            delattr(module, name)
asyncio.unix_events._UnixSelectorEventLoop.add_signal_handler = asyncio.AbstractEventLoop.add_signal_handler
sys.platform = "win32"
"""
IMPORT_ALL = """
import claude_proxy
for found in pkgutil.walk_packages(claude_proxy.__path__, "claude_proxy."):
    if not found.name.endswith("__main__"):
        importlib.import_module(found.name)
"""
COMMAND = """
from claude_proxy.cli.main import main
main()
"""

Windows = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def windows() -> Iterator[Windows]:
    """Runs code there; what still runs at the end is killed."""
    started: list[subprocess.Popen[str]] = []

    def windows(code: str, *arguments: str) -> "subprocess.Popen[str]":
        command = [sys.executable, "-c", WINDOWS + code, *arguments]
        pipe = subprocess.PIPE
        started.append(subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, env=environment(USER="")))
        return started[-1]

    yield windows
    for process in started:
        process.kill()
        process.communicate()


def said(process: "subprocess.Popen[str]") -> tuple[int, str, str]:
    out, err = process.communicate(timeout=60)
    return process.returncode, out, err


def test_every_module_loads(windows: Windows) -> None:
    assert said(windows(IMPORT_ALL)) == (0, "", "")


def test_the_daemon_serves_is_found_and_ends(windows: Windows) -> None:
    daemon = windows(COMMAND, "serve", "--simulator", "--port=0")
    assert daemon.stderr is not None
    assert any("listening on" in line for line in daemon.stderr)
    code, out, _ = said(windows(COMMAND, "ask", "hello"))
    assert (code, bool(out.strip())) == (0, True)
    assert said(windows(COMMAND, "serve", "--simulator", "--port=0"))[0] == 1
    daemon.send_signal(signal.SIGINT)  # as Ctrl-C is
    code, _, err = said(daemon)
    assert (code, err.splitlines()[-1].rpartition(" ")[2]) == (0, "stopped")
    assert said(windows(COMMAND, "status"))[:2] == (3, "claude-proxy is not running\n")


def test_a_command_is_run_and_waited_for(windows: Windows) -> None:
    daemon = windows(COMMAND, "serve", "--simulator", "--port=0")
    assert daemon.stderr is not None
    assert any("listening on" in line for line in daemon.stderr)
    code = "import os, sys; print(os.environ['OPENAI_API_KEY']); sys.exit(7)"
    assert said(windows(COMMAND, "run", "--", sys.executable, "-c", code))[:2] == (7, "claude-proxy\n")
    # No process can ask another one to end there: `stop` does not wait for answers.
    assert said(windows(COMMAND, "stop"))[0] == 0
    assert said(daemon)[0] in (0, -signal.SIGTERM)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("service", "install"), "this system has no supported service manager"),
        (("serve", "--unix-socket", "/x"), "unix_socket is not available on Windows"),
        (("serve", "--api-key-file", "/x"), "api_key_file is not available on Windows"),
    ],
)
def test_what_is_not_available_is_said(windows: Windows, arguments: tuple[str, ...], words: str) -> None:
    code, _, err = said(windows(COMMAND, *arguments))
    assert code > 0
    assert words in err
    assert "Traceback" not in err


def test_a_login_is_looked_at_and_not_renewed(windows: Windows, home: Path) -> None:
    file = home / ".claude" / ".credentials.json"
    file.parent.mkdir()
    file.write_text('{"claudeAiOauth": {"accessToken": "sk-ant-oat01-x", "refreshToken": "y", "expiresAt": 1}}')
    code, out, err = said(windows(COMMAND, "credentials"))
    assert code == 1
    assert "renewing it is not available on Windows" in out + err
    assert "Traceback" not in err
