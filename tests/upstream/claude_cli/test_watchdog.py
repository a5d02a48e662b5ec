"""The watchdog as it is run: its input ends when the process that holds it does."""

import subprocess
import sys
from pathlib import Path

from claude_proxy.upstream.claude_cli import watchdog

WATCHDOG = [sys.executable, "-I", "-S", str(Path(watchdog.__file__))]


def sleeper() -> "subprocess.Popen[bytes]":
    return subprocess.Popen(["/bin/sleep", "60"], start_new_session=True)


def test_what_is_on_the_list_at_its_end_is_killed_and_nothing_else() -> None:
    listed, removed = sleeper(), sleeper()
    try:
        lines = f"+{listed.pid}\n+{removed.pid}\nnonsense\n-{removed.pid}\n+999999999\n"
        subprocess.run(WATCHDOG, input=lines, text=True, check=True, timeout=30)
        assert listed.wait(2) == -9
        assert removed.poll() is None
    finally:
        for each in (listed, removed):
            each.kill()
            each.wait()


def test_a_sign_without_a_number_is_ignored() -> None:
    watchdog.main(["+", "-x", "?5", ""])
