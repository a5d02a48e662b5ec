"""`claude-proxy logs`: the daemon's log, wherever it lives."""

import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import click

from claude_proxy.errors import ServiceError
from claude_proxy.paths import paths
from claude_proxy.service import choice, process

_BLOCK = 64 * 1024
_TICK = 0.2


@click.command(short_help="Show the daemon's log.")
@click.option("-f", "--follow", is_flag=True, help="go on showing what is added")
@click.option("-n", "--lines", default=50, show_default=True, type=click.IntRange(min=0), help="how many lines to show")
def logs(*, follow: bool, lines: int) -> None:
    """Show the daemon's log."""
    places = paths()
    record = process.find(places)
    service = choice.installed(os.environ)
    theirs = service and (record is None or record.manager == service.name)
    if service and theirs and (command := service.logs_command(lines, follow=follow)):
        os.execvp(command[0], command)  # noqa: S606 - its signals and its exit code are then its own
    if record and record.manager == "foreground":
        raise ServiceError(
            f"the daemon runs in the foreground (pid {record.pid}): its log is on the terminal it was started from"
        )
    try:
        stream = places.log_file.open("rb")
    except OSError as exc:
        raise ServiceError(
            f"there is no log yet: {places.log_file}: {exc.strerror}", hint="`claude-proxy start` begins one"
        ) from exc
    with stream:
        _put(last_lines(stream, lines))
        position = stream.tell()
    if follow:
        for data in followed(places.log_file, position):
            _put(data)


def _put(data: bytes) -> None:
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()


def last_lines(stream: BinaryIO, count: int) -> bytes:
    """The last `count` lines of `stream`, which is left at its end."""
    position = stream.seek(0, os.SEEK_END)
    end = position
    tail = b""
    while position > 0 and tail.count(b"\n") <= count:
        position = stream.seek(max(0, position - _BLOCK))
        tail = stream.read(end - position)
    stream.seek(end)
    lines = tail.splitlines(keepends=True)
    return b"".join(lines[len(lines) - min(count, len(lines)) :])


def followed(file: Path, position: int) -> Iterator[bytes]:
    """What is added to `file` after `position`, and to the files that take its place when it is rotated."""
    while True:
        with file.open("rb") as stream:
            stream.seek(position)
            while True:
                rotated = _is_another(stream, file)  # asked before reading: what came until then is still read
                while data := stream.read(_BLOCK):
                    yield data
                if rotated:
                    break
                time.sleep(_TICK)
        position = 0


def _is_another(stream: BinaryIO, file: Path) -> bool:
    try:
        return file.stat().st_ino != os.fstat(stream.fileno()).st_ino
    except OSError:
        return False
