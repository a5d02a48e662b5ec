"""Where this program keeps its own files."""

import os
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from claude_proxy.errors import ConfigError

APP = "claude-proxy"


@dataclass(frozen=True)
class Paths:
    """The settings file, and the state directory with what is in it. Nothing is created here."""

    config_file: Path
    state: Path

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
    def turn_file(self) -> Path:
        """Locked by a command while it starts or stops the daemon."""
        return self.state / "claude-proxy.turn"


def paths() -> Paths:
    """The paths for this user, by the platform's own rules (XDG on Linux, ~/Library on macOS).

    Raises ConfigError when this user has no home directory.
    """
    dirs = platformdirs.PlatformDirs(APP, appauthor=False)
    try:
        config, state = Path(dirs.user_config_dir), Path(dirs.user_state_dir)
    except RuntimeError:
        config = state = Path()
    if not (config.is_absolute() and state.is_absolute()):  # older versions of platformdirs leave the `~` unexpanded
        raise ConfigError("this user has no home directory", hint="set HOME to a directory that you can write to")
    return Paths(config_file=config / "config.toml", state=_writable(state))


def _writable(state: Path) -> Path:
    """`state`, or a directory in the session's runtime directory when the home is read-only.

    The runtime directory is the second choice because it is deleted at logout, and a daemon may outlive that.
    """
    session = Path(os.environ.get("XDG_RUNTIME_DIR") or f"/run/user/{_uid()}")
    if not _can_write(state) and session.is_dir() and _can_write(session):
        return session / APP
    return state


def _can_write(directory: Path) -> bool:
    """Whether `directory` can be written to, or can be made."""
    while not directory.exists() and directory != directory.parent:
        directory = directory.parent
    return directory.is_dir() and os.access(directory, os.W_OK | os.X_OK)


def _uid() -> int:
    return os.getuid() if hasattr(os, "getuid") else 0
