"""The command line as a person has it: real processes, in a home of their own, with no daemon left behind."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import pytest

from claude_proxy.paths import APP
from claude_proxy.service.lock import is_locked

ROOT = Path(__file__).parents[2]
COMMAND = (sys.executable, "-P", "-m", "claude_proxy")


class Run(Protocol):
    def __call__(self, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]: ...


class Spawn(Protocol):
    def __call__(self, *arguments: str, **variables: str) -> "subprocess.Popen[str]": ...


def environment(**variables: str) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT), **variables}


@pytest.fixture
def run(home: Path) -> Iterator[Run]:
    """Run `claude-proxy` with these arguments; what it leaves running in this home is stopped at the end."""
    homes = [environment()]

    def run(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        homes.append(environment(**variables))
        return subprocess.run(
            [*COMMAND, *arguments], capture_output=True, text=True, timeout=120, check=False, env=homes[-1], cwd=home
        )

    yield run
    for environ in {(each["HOME"], each["XDG_STATE_HOME"]): each for each in homes}.values():
        # Asked for here, because most tests start no daemon and a command costs a tenth of a second.
        places = (environ["XDG_STATE_HOME"], environ["XDG_RUNTIME_DIR"])
        if not any(is_locked(Path(place, APP, f"{APP}.lock")) for place in places):
            continue
        subprocess.run([*COMMAND, "stop"], capture_output=True, timeout=120, check=False, env=environ)


@pytest.fixture
def spawn(run: Run, home: Path) -> Iterator[Spawn]:
    """Start `claude-proxy` with these arguments beside the test; it is killed at the end if it still runs."""
    started: list[subprocess.Popen[str]] = []

    def spawn(*arguments: str, **variables: str) -> "subprocess.Popen[str]":
        process = subprocess.Popen(
            [*COMMAND, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment(**variables),
            cwd=home,
        )
        started.append(process)
        return process

    yield spawn
    for process in started:
        process.kill()
        process.communicate()
