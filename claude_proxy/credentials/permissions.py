"""File permissions of stored logins: other users of the machine should not be able to read them."""

import os
import shlex
import stat
from pathlib import Path


def exposure_hint(file: Path) -> str | None:
    """How to make `file` private if other users can read or change it, else None."""
    if os.name != "posix":  # elsewhere the mode says nothing about other users
        return None
    try:
        mode = file.stat().st_mode
    except OSError:
        return None
    if not mode & (stat.S_IRWXG | stat.S_IRWXO):
        return None
    return f"other users can use {file} (mode {stat.S_IMODE(mode):04o}): run `chmod 600 {shlex.quote(str(file))}`"
