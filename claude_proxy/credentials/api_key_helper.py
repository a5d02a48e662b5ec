"""`apiKeyHelper` of the Claude CLI's settings: a command of the user's that prints a key."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from claude_proxy.credentials.base import Credential, Finding, Secret, Source, flaw
from claude_proxy.credentials.cli_places import CliPlaces, stamp_of

TTL_VARIABLE = "CLAUDE_CODE_API_KEY_HELPER_TTL_MS"
_TTL = 300.0  # the CLI's own
_PATIENCE = 30.0  # such a command may ask a password manager or a company's token service
_RETRY = 10.0  # after it failed
_MAX_SETTINGS = 1024 * 1024


class ApiKeyHelper(Source):
    """The command in the user's own settings; those of a project are not read. What it prints is not logged."""

    name = "apiKeyHelper"
    deadline = _PATIENCE + 5

    def __init__(
        self,
        places: CliPlaces,
        environ: Mapping[str, str],
        home: Path,
        *,
        patience: float = _PATIENCE,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.description = f"a command that prints a key (apiKeyHelper in {places.settings_file})"
        self._file = places.settings_file
        self._environ = environ
        self._home = home
        self._patience = patience
        self._clock = clock
        self._old_at: float | None = None

    def stamp(self) -> object:
        return stamp_of(self._file)

    def aged(self) -> bool:
        return self._old_at is not None and self._clock() >= self._old_at

    def look(self) -> Finding:
        self._old_at = None
        try:
            command = _helper(self._file)
        except OSError as exc:
            return self.cannot_look(f"{self._file}: {exc.strerror}")
        except (ValueError, RecursionError):
            return self.cannot_look(f"{self._file}: not valid JSON")
        if command is None:
            return self.not_here(f"no apiKeyHelper in {self._file}")
        finding = self._run(command)
        self._old_at = self._clock() + (self._ttl() if finding.credential else _RETRY)
        return finding

    def _run(self, command: str) -> Finding:
        try:
            code, printed = _output(command, self._environ, self._home, self._patience)
        except subprocess.TimeoutExpired:
            return self._failed(f"the command did not finish within {self._patience:g} s")
        except OSError as exc:
            return self._failed(f"the command could not be run: {exc.strerror}")
        if code != 0:
            return self._failed(f"the command ended with exit code {code}")
        text = printed.decode("utf-8", "replace").strip()
        if problem := flaw(text):
            return self._failed(f"what the command printed is no key: {problem}")
        return Finding(self.name, "found", str(self._file), credential=Credential("api_key", Secret(text), self.name))

    def _failed(self, detail: str) -> Finding:
        return self.unusable(detail, f"run the apiKeyHelper of {self._file} by hand to see why", stops=True)

    def _ttl(self) -> float:
        given = self._environ.get(TTL_VARIABLE, "")
        return int(given) / 1000 if given.isascii() and given.isdigit() else _TTL


def _helper(file: Path) -> str | None:
    try:
        with file.open("rb") as opened:
            settings = json.loads(opened.read(_MAX_SETTINGS))
    except (FileNotFoundError, NotADirectoryError):
        return None
    command = settings.get("apiKeyHelper") if isinstance(settings, dict) else None
    return command if isinstance(command, str) and command.strip() else None


def _output(command: str, environ: Mapping[str, str], home: Path, patience: float) -> tuple[int, bytes]:
    """Exit code and output of `command`, run by the shell as the CLI runs it. Raises TimeoutExpired, OSError."""
    process = subprocess.Popen(  # noqa: S603 - the user's own command, from the user's own settings
        ["/bin/sh", "-c", command],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=dict(environ),
        cwd=home,
        start_new_session=True,  # so that what it started ends with it
    )
    with process:
        try:
            printed, _ = process.communicate(timeout=patience)
        except subprocess.TimeoutExpired as exc:
            _end_group(process)
            exc.output = None  # what it printed so far may be part of a key
            raise
    return process.returncode, printed


def _end_group(process: subprocess.Popen[bytes]) -> None:
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
