"""What the tests of credentials share: the Claude CLI's store as files, written as the CLI writes them."""

import asyncio
import json
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from claude_proxy.credentials import programs
from claude_proxy.credentials.claude_cli_paths import ClaudeCliPaths, claude_cli_paths


class ClaudeCliStore:
    """The CLI's directory in a temporary home."""

    def __init__(self, home: Path, environ: Mapping[str, str] | None = None) -> None:
        self.home = home
        self.environ = dict(environ or {"HOME": str(home), "USER": "somebody"})
        self.paths: ClaudeCliPaths = claude_cli_paths(self.environ, home)

    def write(self, document: object) -> None:
        """Replace the stored login, as the CLI does: a new file renamed over the old one."""
        self.write_text(json.dumps(document, separators=(",", ":")))

    def write_text(self, text: str) -> None:
        file = self.paths.login_file
        file.parent.mkdir(parents=True, exist_ok=True)
        temporary = file.with_name(".credentials.json.tmp.1")
        temporary.touch(0o600)
        temporary.write_text(text, "utf-8")
        temporary.replace(file)

    def log_in(self, token: str, **fields: object) -> None:
        login = {
            "accessToken": token,
            "refreshToken": "sk-ant-ort01-made-up-for-the-tests-RRRRRRRRRRRR",
            "expiresAt": None,
            "scopes": ["user:inference", "user:profile"],
            "subscriptionType": "max",
            "rateLimitTier": "default_claude_max_5x",
        }
        self.write({"claudeAiOauth": login | fields})

    def log_out(self) -> None:
        self.paths.login_file.unlink()

    def keep_key(self, key: object) -> None:
        self.paths.state_file.touch(0o600)
        self.paths.state_file.write_text(json.dumps({"numStartups": 3, "primaryApiKey": key}), "utf-8")


async def until(condition: Callable[[], object]) -> None:
    """Let threads and tasks run until `condition` holds."""
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110 - threads set no asyncio.Event
            await asyncio.sleep(0.001)


@pytest.fixture(autouse=True)
def _no_installed_programs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only a program that a test puts on the PATH is found, not what happens to be installed on this machine."""
    monkeypatch.setattr(programs, "_SYSTEM_DIRECTORIES", ())


@pytest.fixture
def claude_cli(home: Path) -> ClaudeCliStore:
    return ClaudeCliStore(home)


@pytest.fixture
def executable(tmp_path: Path):
    """A function that writes a small program and says where it is."""

    def write(name: str, text: str, directory: Path | None = None) -> Path:
        file = (directory or tmp_path) / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, "utf-8")
        file.chmod(0o755)
        return file

    return write
