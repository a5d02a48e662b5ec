"""Reading the files of other programs: with a bound, and without waiting for a FIFO."""

import errno
import os
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class FileContent:
    data: bytes = field(repr=False)  # may hold a secret
    info: os.stat_result


def read_file(file: Path, limit: int) -> FileContent | None:
    """The content of `file`; None if it is not there. Raises OSError, also when it is larger than `limit` bytes."""
    try:
        descriptor = os.open(file, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    except (FileNotFoundError, NotADirectoryError):
        return None
    with os.fdopen(descriptor, "rb") as opened:
        info = os.fstat(opened.fileno())
        data = opened.read(limit + 1)
    if len(data) > limit:
        raise OSError(errno.EFBIG, f"larger than {limit} bytes")
    return FileContent(data, info)
