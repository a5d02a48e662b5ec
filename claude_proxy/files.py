"""Files and directories that no other user can read or change."""

import contextlib
import errno
import os
import stat
from pathlib import Path

_GROUP_OR_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH


def make_directory(directory: Path) -> None:
    """Make `directory` and each missing parent with mode 0700, independent of the umask. Raises OSError.

    `Path.mkdir(parents=True)` applies its mode to the last directory only.
    """
    missing, existing = [], directory
    while not existing.exists():
        missing.append(existing)
        existing = existing.parent
    for each in reversed(missing):
        with contextlib.suppress(FileExistsError):  # another process made it just now
            each.mkdir(mode=0o700)
    if not directory.is_dir():  # a file, or a dangling link
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(directory))


def write(file: Path, text: str, mode: int = 0o600) -> None:
    """Write `file` in one step, so that readers see the old text or the new one. Raises OSError.

    A link in place of `file` is replaced, not followed.
    """
    make_directory(file.parent)
    fresh = file.with_name(f".{file.name}.{os.getpid()}")
    with contextlib.suppress(FileNotFoundError):
        fresh.unlink()
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            stream.write(text)
        fresh.replace(file)
    except OSError:
        fresh.unlink(missing_ok=True)
        raise


def others_can_change(info: os.stat_result) -> bool:
    """Whether a user other than root and this one owns what `info` describes, or can write to it.

    Write permission of a group counts, unless the group is this user's private one: distributions that give each user
    such a group often set the umask 002, so the user's own files are group-writable there. On Windows, where the mode
    says nothing, the answer is False.
    """
    if not hasattr(os, "getuid"):
        return False
    if info.st_uid not in (os.getuid(), 0):
        return True
    if not info.st_mode & _GROUP_OR_OTHERS_WRITE:
        return False
    return bool(info.st_mode & stat.S_IWOTH) or not _is_private_group(info.st_gid)


def _is_private_group(gid: int) -> bool:
    """Whether group `gid` is this user's primary group, has the user's name, and has no other member."""
    import grp  # noqa: PLC0415 - not on Windows, and seldom needed
    import pwd  # noqa: PLC0415

    try:
        user, group = pwd.getpwuid(os.getuid()), grp.getgrgid(gid)
    except KeyError:
        return False
    return user.pw_gid == gid and group.gr_name == user.pw_name and set(group.gr_mem) <= {user.pw_name}
