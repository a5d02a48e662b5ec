"""`apiKeyHelper` in the Claude CLI's settings: a command of the user's that prints a key."""

import json
from collections.abc import Mapping
from pathlib import Path

from claude_proxy.credentials.base import MAX_SECRET, Credential, Finding, Secret, Source, flaw
from claude_proxy.credentials.claude_cli_paths import ABSOLUTE_PATH_HINT, ClaudeCliPaths
from claude_proxy.credentials.file_reading import read_file
from claude_proxy.credentials.fingerprint import fingerprint
from claude_proxy.credentials.programs import ProgramError, run_program
from claude_proxy.files import others_can_change

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
            content = read_file(self._file, _MAX_SETTINGS)
            command = _command(content.data) if content else None
        except OSError as exc:
            return self.cannot_look(f"{self._file}: {exc.strerror}")
        except (ValueError, RecursionError):
            return self.cannot_look(f"{self._file}: not valid JSON")
        if content is None or command is None:
            return self.not_here(f"no apiKeyHelper in {self._file}")
        if others_can_change(content.info):  # and so could run commands as this user
            hint = f"check its apiKeyHelper, then `chmod go-w {self._file}`"
            return self.unusable(f"other users can change {self._file}", hint, stops=True)
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
        hint = f"run the apiKeyHelper of {self._file} in a shell to see why"
        return self.unusable(detail, hint, stops=True, ttl=_RETRY)

    def _ttl(self) -> float:
        text = self._environ.get(TTL_VARIABLE, "")
        return int(text) / 1000 if text.isascii() and text.isdigit() and len(text) < 16 else _TTL


def _command(settings: bytes) -> str | None:
    """The command in the text of the settings. Raises ValueError and RecursionError."""
    document = json.loads(settings)
    command = document.get("apiKeyHelper") if isinstance(document, dict) else None
    return command if isinstance(command, str) and command.strip() else None
