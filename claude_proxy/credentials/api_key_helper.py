"""`apiKeyHelper` in the Claude CLI's settings: a command of the user's that prints a key."""

import json
from collections.abc import Mapping
from pathlib import Path

from claude_proxy.credentials.base import MAX_SECRET, Credential, Finding, Secret, Source, flaw
from claude_proxy.credentials.claude_cli_paths import ABSOLUTE_PATH_HINT, ClaudeCliPaths
from claude_proxy.credentials.fingerprint import fingerprint
from claude_proxy.credentials.programs import ProgramError, run_program

TTL_VARIABLE = "CLAUDE_CODE_API_KEY_HELPER_TTL_MS"
_TTL = 300.0  # the Claude CLI's own
_TIMEOUT = 30.0  # such a command may ask a password manager or a company's token service
_RETRY = 10.0  # after it failed
_MAX_SETTINGS = 1024 * 1024


class ApiKeyHelper(Source):
    """The command in the user's own settings; those of a project are not read. Its output is never logged."""

    name = "apiKeyHelper"
    look_timeout = _TIMEOUT + 5

    def __init__(
        self, paths: ClaudeCliPaths, environ: Mapping[str, str], home: Path, *, timeout: float = _TIMEOUT
    ) -> None:
        self.description = f"a command that prints a key (apiKeyHelper in {paths.settings_file})"
        self._paths = paths
        self._file = paths.settings_file
        self._environ = environ
        self._home = home
        self._timeout = timeout

    def fingerprint(self) -> object:
        return fingerprint(self._file)

    def look(self) -> Finding:
        if self._paths.problem:
            return self.unusable(self._paths.problem, ABSOLUTE_PATH_HINT)
        try:
            command = _read_command(self._file)
        except OSError as exc:
            return self.cannot_look(f"{self._file}: {exc.strerror}")
        except (ValueError, RecursionError):
            return self.cannot_look(f"{self._file}: not valid JSON")
        if command is None:
            return self.not_here(f"no apiKeyHelper in {self._file}")
        return self._run(command)

    def _run(self, command: str) -> Finding:
        """Run `command` by the shell, as the Claude CLI does."""
        try:
            done = run_program(
                ["/bin/sh", "-c", command],
                environ=self._environ,
                cwd=self._home,
                timeout=self._timeout,
                max_output=2 * MAX_SECRET,
            )
        except ProgramError as exc:
            return self._failed(f"the command could not be used: {exc}")
        if done.code != 0:
            return self._failed(f"the command ended with exit code {done.code}")
        text = done.stdout.decode("utf-8", "replace").strip()
        if problem := flaw(text):
            return self._failed(f"the output of the command is not a key: {problem}")
        credential = Credential("api_key", Secret(text), self.name)
        return Finding(self.name, "found", str(self._file), credential=credential, ttl=self._ttl())

    def _failed(self, detail: str) -> Finding:
        hint = f"run the apiKeyHelper of {self._file} by hand to see why"
        return self.unusable(detail, hint, stops=True, ttl=_RETRY)

    def _ttl(self) -> float:
        text = self._environ.get(TTL_VARIABLE, "")
        return int(text) / 1000 if text.isascii() and text.isdigit() and len(text) < 16 else _TTL


def _read_command(file: Path) -> str | None:
    try:
        with file.open("rb") as opened:
            settings = json.loads(opened.read(_MAX_SETTINGS))
    except (FileNotFoundError, NotADirectoryError):
        return None
    command = settings.get("apiKeyHelper") if isinstance(settings, dict) else None
    return command if isinstance(command, str) and command.strip() else None
