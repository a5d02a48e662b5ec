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
ABSOLUTE_PATH_HINT = "set the variable to an absolute path"
_FALLBACK_ACCOUNT = "claude-code-user"


@dataclass(frozen=True)
class ClaudeCliPaths:
    """The Claude CLI's files and keychain entries, as its environment variables set them.

    `config` holds settings and, unless CLAUDE_SECURESTORAGE_CONFIG_DIR moves it, the store of logins. A custom
    directory has keychain entries of its own: their names end in a hash of the directory. The file paths are
    cached because every request uses them for fingerprints. With `problem`, nothing of this may be read.
    """

    config: Path
    store: Path
    state_file: Path
    account: str
    suffix: str
    problem: str | None = None

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


def claude_cli_paths(environ: Mapping[str, str], home: Path) -> ClaudeCliPaths:
    custom = environ.get("CLAUDE_CONFIG_DIR") or None
    config = Path(custom) if custom else home / ".claude"
    stored = environ.get("CLAUDE_SECURESTORAGE_CONFIG_DIR")
    if stored is None:
        stored, store = custom, config
    else:  # set but empty: the default directory, and names without a suffix
        store = Path(stored) if stored else home / ".claude"
    return ClaudeCliPaths(
        config=config,
        store=store,
        state_file=Path(custom) / ".claude.json" if custom else home / ".claude.json",
        account=_account(environ),
        suffix=_suffix(stored),
        problem=relative_path_problem(environ, "CLAUDE_CONFIG_DIR", "CLAUDE_SECURESTORAGE_CONFIG_DIR"),
    )


def relative_path_problem(environ: Mapping[str, str], *variables: str) -> str | None:
    """Which of `variables` names a relative path, in words; None if none does.

    A relative path would make the current directory decide which login is used and which commands are run.
    """
    for variable in variables:
        if (path := environ.get(variable)) and not Path(path).is_absolute():
            return f"{variable} is a relative path ({path}), and only absolute paths are read"
    return None


def home_directory(environ: Mapping[str, str]) -> Path:
    """HOME, or the account's own home directory where HOME is unset or relative."""
    home = Path(environ.get("HOME", ""))
    if home.is_absolute():
        return home
    try:
        import pwd  # noqa: PLC0415 - only POSIX has it, and only a process without HOME needs it

        return Path(pwd.getpwuid(os.getuid()).pw_dir)
    except (ImportError, KeyError):
        return Path.home()


def _suffix(directory: str | None) -> str:
    if not directory:
        return ""
    # The CLI hashes the directory exactly as it was given, without resolving it.
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
