"""A state directory, and records of real processes."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs

from claude_proxy.paths import Paths
from claude_proxy.service.process import start_time
from claude_proxy.service.record import Record

SLEEPER = [sys.executable, "-c", "import sys; sys.stdin.read()"]


@pytest.fixture
def places(tmp_path: Path) -> Paths:
    return Paths(config_file=tmp_path / "config.toml", state=tmp_path / "státe of things", data=tmp_path / "data")


@pytest.fixture
def foreign() -> "Iterator[subprocess.Popen[bytes]]":
    """A running process that has nothing to do with us."""
    child = subprocess.Popen(SLEEPER, stdin=subprocess.PIPE)
    yield child
    child.kill()
    child.communicate()


def record_of(pid: int, **changes: Any) -> Record:
    known = Record(
        pid=pid,
        started=start_time(pid) or 0.0,
        since=0.0,
        manager="background",
        instance="ab" * 16,
        drain=1.0,
        flags={},
    )
    return structs.replace(known, **changes)


def written(places: Paths, data: str | bytes) -> Path:
    """The pidfile with this text."""
    places.state.mkdir(mode=0o700, parents=True)
    places.pid_file.write_bytes(data.encode() if isinstance(data, str) else data)
    return places.pid_file
