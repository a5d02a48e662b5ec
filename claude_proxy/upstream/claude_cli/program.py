"""Which program the Claude CLI is, its version, and what differs between versions."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from claude_proxy.credentials.programs import ProgramError, find_program, run_program
from claude_proxy.errors import UpstreamUnreachable

NAME = "claude"
VERSION_TIMEOUT = 30.0  # seconds; with a cold disk cache the program takes five to start
_MAX_OUTPUT = 4096
_VERSION = re.compile(r"(\d+)\.(\d+)\.(\d+)")

Version = tuple[int, int, int]
OLDEST: Version = (2, 1, 197)  # older ones were never tested


@dataclass(frozen=True)
class Traits:
    """What a version can do. `max_prompt` are bytes of prompt that it sends; above that it refuses by itself."""

    model_by_setting: bool  # a running process takes the model; older ones add a note about that to the prompt
    retry_after: bool  # a rate limit says how long to wait
    max_prompt: int | None


# By the first version that has them, the newest first.
_TRAITS: tuple[tuple[Version, Traits], ...] = (
    ((2, 1, 331), Traits(model_by_setting=True, retry_after=True, max_prompt=None)),
    (OLDEST, Traits(model_by_setting=False, retry_after=False, max_prompt=500_000)),
)


@dataclass(frozen=True)
class Program:
    """An installed Claude CLI."""

    path: Path
    version: Version
    fingerprint: object

    @property
    def version_text(self) -> str:
        return ".".join(map(str, self.version))

    @property
    def traits(self) -> Traits:
        return next((traits for first, traits in _TRAITS if self.version >= first), _TRAITS[-1][1])

    @property
    def problem(self) -> str | None:
        """Why this version is not used; None if it is."""
        if self.version >= OLDEST:
            return None
        return f"version {self.version_text} is older than {'.'.join(map(str, OLDEST))}, the oldest one that works here"


def locate(configured: str, environ: Mapping[str, str], home: Path) -> Path | None:
    """The Claude CLI: the `configured` path, else where its installers put it."""
    if not configured:
        return find_program(NAME, environ, home)
    path = Path(configured).expanduser()
    return path if path.is_file() else None


def fingerprint(path: Path) -> object:
    """A value that changes when the program is replaced, also behind a symbolic link."""
    try:
        real = path.resolve(strict=True)
        info = real.stat()
    except OSError:
        return None
    return (str(real), info.st_ino, info.st_size, info.st_mtime_ns)


def ask_version(path: Path, environ: Mapping[str, str], cwd: Path) -> Program:
    """Run `claude --version`. Blocks. Raises UpstreamUnreachable when it cannot be run or says something else."""
    before = fingerprint(path)
    try:
        done = run_program(
            [path, "--version"], environ=environ, cwd=cwd, timeout=VERSION_TIMEOUT, max_output=_MAX_OUTPUT
        )
    except ProgramError as exc:
        raise UpstreamUnreachable(f"the Claude CLI ({path}) could not be run: {exc}") from None
    found = _VERSION.search(done.stdout.decode("utf-8", "replace"))
    if found is None:
        raise UpstreamUnreachable(f"the Claude CLI ({path}) did not tell its version")
    major, minor, patch = map(int, found.groups())
    return Program(path, (major, minor, patch), before)
