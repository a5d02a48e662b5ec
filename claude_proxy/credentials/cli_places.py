"""Where the Claude CLI keeps its logins: directories, file names and keychain entries."""

import hashlib
import os
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

_ACCOUNT = re.compile(r"[A-Za-z0-9._-]+")
_FALLBACK_ACCOUNT = "claude-code-user"


@dataclass(frozen=True)
class CliPlaces:
    """The CLI's places as its environment variables set them.

    `config` holds settings and, unless CLAUDE_SECURESTORAGE_CONFIG_DIR moves it, the store of logins. A custom
    directory has keychain entries of its own: their names end in a hash of the directory. The files are named on
    every request, to be stamped, and so are made once.
    """

    config: Path
    store: Path
    state_file: Path
    account: str
    suffix: str

    @property
    def login_service(self) -> str:
        return f"Claude Code-credentials{self.suffix}"

    @property
    def key_service(self) -> str:
        return f"Claude Code{self.suffix}"

    @cached_property
    def login_file(self) -> Path:
        return self.store / ".credentials.json"

    @cached_property
    def settings_file(self) -> Path:
        return self.config / "settings.json"

    @cached_property
    def state_files(self) -> tuple[Path, ...]:
        """The files that may hold a Console key: the first that exists and is not empty counts."""
        return (self.config / ".config.json", self.state_file)


def cli_places(environ: Mapping[str, str], home: Path) -> CliPlaces:
    custom = environ.get("CLAUDE_CONFIG_DIR") or None
    config = Path(custom) if custom else home / ".claude"
    stored = environ.get("CLAUDE_SECURESTORAGE_CONFIG_DIR")
    if stored is None:
        stored, store = custom, config
    else:  # set but empty: the default directory, and names without a suffix
        store = Path(stored) if stored else home / ".claude"
    return CliPlaces(
        config=config,
        store=store,
        state_file=Path(custom) / ".claude.json" if custom else home / ".claude.json",
        account=_account(environ),
        suffix=_suffix(stored),
    )


def _suffix(directory: str | None) -> str:
    if not directory:
        return ""
    # The directory exactly as it was given, not resolved: that is what the CLI hashes.
    digest = hashlib.sha256(unicodedata.normalize("NFC", directory).encode("utf-8", "surrogateescape"))
    return f"-{digest.hexdigest()[:8]}"


def _account(environ: Mapping[str, str]) -> str:
    name = environ.get("USER") or _user_name()
    return name if _ACCOUNT.fullmatch(name) else _FALLBACK_ACCOUNT


def _user_name() -> str:
    try:
        import pwd  # noqa: PLC0415 - only POSIX has it, and only a process without USER needs it

        return pwd.getpwuid(os.getuid()).pw_name
    except (ImportError, KeyError):
        return ""


def stamp_of(*files: Path) -> tuple[object, ...]:
    """What `stat` knows of `files`: differs when one was written, replaced, made or removed. Links are followed."""
    return tuple(_stamp(file) for file in files)


def _stamp(file: Path) -> object:
    try:
        found = os.stat(file)  # noqa: PTH116 - Path.stat costs twice as much, on every request
    except OSError as exc:
        return exc.errno
    return (found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)
