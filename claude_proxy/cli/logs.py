"""`claude-proxy logs`: the daemon's log, from the file or from the journal."""

import errno
import os
import stat
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import click

from claude_proxy.errors import ServiceError
from claude_proxy.paths import paths
from claude_proxy.service import choice, daemon

_BLOCK = 64 * 1024
_INTERVAL = 0.2


@click.command(short_help="Print the daemon's log.")
@click.option("-f", "--follow", is_flag=True, help="keep printing new lines")
@click.option(
    "-n", "--lines", default=50, show_default=True, type=click.IntRange(min=0), help="number of lines to print"
)
def logs(*, follow: bool, lines: int) -> None:
    """Print the daemon's log."""
    places = paths()
    record = daemon.find(places)
    service = choice.installed(os.environ)
    in_service = service and (record is None or record.manager == service.name)
    if service and in_service and (command := service.logs_command(lines, follow=follow)):
        os.execvp(command[0], command)  # noqa: S606 - the program gets signals and sets the exit code itself
    if record and record.manager == "foreground":
        raise ServiceError(
            f"the daemon runs in the foreground (pid {record.pid}): its log is printed where it was started"
        )
    try:
        stream = _open_file(places.log_file)
    except OSError as exc:
        raise ServiceError(
            f"there is no log yet: {places.log_file}: {exc.strerror}", hint="`claude-proxy start` creates it"
        ) from exc
    with stream:
        _write(last_lines(stream, lines))
        position = stream.tell()
    if follow:
        for data in follow_file(places.log_file, position):
            _write(data)


def _open_file(file: Path) -> BinaryIO:
    """Open the log without waiting: another program may have put a FIFO in its place. Raises OSError."""
    opened = os.fdopen(os.open(file, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0)), "rb")
    if not stat.S_ISREG(os.fstat(opened.fileno()).st_mode):
        opened.close()
        raise OSError(errno.EINVAL, "it is not a regular file")
    return opened


def _write(data: bytes) -> None:
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


def follow_file(file: Path, position: int) -> Iterator[bytes]:
    """The data added to `file` after `position`, and to the files that replace it when it is rotated."""
    while True:
        with file.open("rb") as stream:
            stream.seek(position)
            while True:
                rotated = _is_another(stream, file)  # before reading, so that the last lines of the old file are read
                while data := stream.read(_BLOCK):
                    yield data
                if rotated:
                    break
                time.sleep(_INTERVAL)
        position = 0


def _is_another(stream: BinaryIO, file: Path) -> bool:
    try:
        return file.stat().st_ino != os.fstat(stream.fileno()).st_ino
    except OSError:
        return False
