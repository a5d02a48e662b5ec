"""Fingerprints of files: a cheap way to see on every request whether a file has changed since it was read."""

import os
from pathlib import Path


def fingerprint(*files: Path) -> tuple[object, ...]:
    """What `stat` knows of `files`: differs when one was written, replaced, made or removed. Links are followed."""
    return tuple(_stat(file) for file in files)


def _stat(file: Path) -> object:
    try:
        found = os.stat(file)  # noqa: PTH116 - Path.stat costs twice as much, on every request
    except OSError as exc:
        return exc.errno
    return (found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)
