"""The pidfile: which process is the daemon, and what a command needs to know about it."""

import os
import stat
import sys
import time
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

from claude_proxy import files
from claude_proxy.errors import ServiceError
from claude_proxy.service.state import cannot_write

Manager = Literal["background", "foreground", "systemd", "launchd"]

# For `write` and `read` alike. Most of it can only be flags, and a command line is bounded to two megabytes.
MAX_PIDFILE = 4 * 1024 * 1024
# Windows refuses to replace a file while another process reads it.
REPLACE_TIMEOUT = 1.0
_INTERVAL = 0.01


class Record(Struct, frozen=True, forbid_unknown_fields=True):
    """What the pidfile says. `url` is None until the daemon listens, and again from the moment it stops.

    `flags` are the settings that its command line gave, as texts: a restart keeps them. `key_file` holds the key that
    it demands of every request. `drain` is how many seconds open answers may take when it stops. A pid of 1, 0 or less
    would name init, the own process group or every process.
    """

    pid: Annotated[int, Meta(gt=1, lt=2**31)]
    started: float
    since: float
    manager: Manager
    instance: str
    drain: Annotated[float, Meta(ge=0)]
    flags: dict[str, str]
    key_file: str | None = None
    log: str | None = None
    url: str | None = None


def read(file: Path) -> Record | None:
    """The pidfile's record; None when there is no file, or what is there was not written by this program."""
    try:
        descriptor = os.open(file, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))
    except OSError:
        return None
    with os.fdopen(descriptor, "rb") as stream:
        if not _is_our_file(os.fstat(descriptor)):
            return None
        data = stream.read(MAX_PIDFILE + 1)
    if len(data) > MAX_PIDFILE:
        return None
    try:
        return msgspec.json.decode(data, type=Record)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


def write(file: Path, record: Record) -> None:
    """Replace the pidfile in one step. Only the holder of the daemon's lock may call this. Raises ServiceError."""
    data = msgspec.json.encode(record)
    if len(data) > MAX_PIDFILE:
        raise ServiceError(
            "the flags are too long", hint="write them into the file that `claude-proxy config path` prints"
        )
    deadline = time.monotonic() + REPLACE_TIMEOUT
    while True:
        try:
            files.write(file, data.decode())
        except PermissionError as exc:  # on Windows, while a command reads it
            if str(sys.platform) != "win32" or time.monotonic() > deadline:
                raise cannot_write(file, exc) from exc
            time.sleep(_INTERVAL)
        except OSError as exc:
            raise cannot_write(file, exc) from exc
        else:
            return


def _is_our_file(info: os.stat_result) -> bool:
    return stat.S_ISREG(info.st_mode) and (not hasattr(os, "getuid") or info.st_uid == os.getuid())
