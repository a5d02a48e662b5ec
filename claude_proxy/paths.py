"""Where this program keeps its own files."""

import os
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from claude_proxy.errors import ConfigError

APP = "claude-proxy"


@dataclass(frozen=True)
class Paths:
    """The settings file, and the state and data directories with what is in them. Nothing is created here."""

    config_file: Path
    state: Path
    data: Path

    @property
    def store_file(self) -> Path:
        """The SQLite file with stored responses."""
        return self.data / "claude-proxy.sqlite3"

    @property
    def log_file(self) -> Path:
        return self.state / "claude-proxy.log"

    @property
    def pid_file(self) -> Path:
        return self.state / "claude-proxy.pid"

    @property
    def lock_file(self) -> Path:
        """Locked by the daemon while it runs."""
        return self.state / "claude-proxy.lock"

    @property
    def command_lock_file(self) -> Path:
        """Locked by a command while it starts or stops the daemon."""
        return self.state / "claude-proxy.command.lock"


def paths() -> Paths:
    """The paths for this user, by the platform's own rules (XDG on Linux, ~/Library on macOS).

    Raises ConfigError when this user has no home directory.
    """
    dirs = platformdirs.PlatformDirs(APP, appauthor=False)
    try:
        config, state, data = Path(dirs.user_config_dir), Path(dirs.user_state_dir), Path(dirs.user_data_dir)
    except RuntimeError:
        config = state = data = Path()
    if not all(
        path.is_absolute() for path in (config, state, data)
    ):  # older versions of platformdirs leave the `~` unexpanded
        raise ConfigError("this user has no home directory", hint="set HOME to a directory that you can write to")
    return Paths(config_file=config / "config.toml", state=_writable(state), data=_writable(data))


def _writable(directory: Path) -> Path:
    """`directory`, or a directory in the session's runtime directory when the home is read-only.

    The runtime directory is the second choice because it is deleted at logout, and a daemon may outlive that.
    """
    session = Path(os.environ.get("XDG_RUNTIME_DIR") or f"/run/user/{_uid()}")
    if not _can_write(directory) and session.is_dir() and _can_write(session):
        return session / APP
    return directory


def _can_write(directory: Path) -> bool:
    """Whether `directory` can be written to, or can be made."""
    while not directory.exists() and directory != directory.parent:
        directory = directory.parent
    return directory.is_dir() and os.access(directory, os.W_OK | os.X_OK)


def _uid() -> int:
    return os.getuid() if hasattr(os, "getuid") else 0
