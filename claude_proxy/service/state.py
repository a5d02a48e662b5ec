"""The state directory: it holds the lock, the pidfile and the log, so no other user may write to it."""

from pathlib import Path

from claude_proxy.errors import ServiceError
from claude_proxy.files import make_directory, others_can_change


def make_state_directory(file: Path) -> None:
    """Make the directory of `file` if it is missing.

    Raises ServiceError when that fails, and when another user owns the directory or can write to it: that user could
    replace the pidfile and the log.
    """
    directory = file.parent
    try:
        make_directory(directory)
        changeable = others_can_change(directory.stat())
    except OSError as exc:
        raise cannot_write(file, exc) from exc
    if changeable:
        raise ServiceError(
            f"other users can change {directory}",
            hint=f"`chmod 700 {directory}` if it is yours, or set XDG_STATE_HOME to a directory that is",
        )


def cannot_write(file: Path, exc: OSError) -> ServiceError:
    """The error for a file in the state directory that cannot be written."""
    return ServiceError(
        f"cannot write {file}: {exc.strerror}",
        hint=f"make {file.parent} a directory that you can write to, or set XDG_STATE_HOME to one",
    )
