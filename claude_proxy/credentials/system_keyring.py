"""A key that the user gave to this program: it lies in the system's keyring, under our own name."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from claude_proxy.credentials.base import Credential, Finding, Kind, Secret, Source, flaw, looks_like_oauth
from claude_proxy.credentials.cli_places import stamp_of
from claude_proxy.credentials.programs import without_secrets
from claude_proxy.errors import CredentialUnusable
from claude_proxy.paths import APP, paths

SERVICE = APP
ACCOUNT = "anthropic"
DEADLINE = 5.0
PATIENCE = 60.0  # to store or forget: the user is there to answer a dialog
RETRY = 60.0  # a keyring that was locked at login may be open now
_CHILD = Path(__file__).with_name("keyring_child.py")
_UNLOCK = "unlock your keyring, and this source is asked again"


class SystemKeyring(Source):
    """The entry `claude-proxy` in the system keyring, kept by `claude-proxy credentials set`."""

    name = "system keyring"
    description = f"a key you gave this program (keyring entry {SERVICE}, {ACCOUNT})"

    def __init__(self, deadline: float = DEADLINE, clock: Callable[[], float] = time.monotonic) -> None:
        self._time_to_answer = deadline
        self._clock = clock
        self._retry_at: float | None = None
        self._marker = _marker()

    def stamp(self) -> object:
        return stamp_of(self._marker)

    def aged(self) -> bool:
        return self._retry_at is not None and self._clock() >= self._retry_at

    def look(self) -> Finding:
        answer = _ask("get", self._time_to_answer)
        self._retry_at = None
        match answer.get("state"):
            case "found":
                return self._read(str(answer.get("secret", "")).strip())
            case "not here":
                return self.not_here(f"no entry {SERVICE}")
            case "locked":
                self._retry_at = self._clock() + RETRY
                return self.cannot_look("the keyring is locked", _UNLOCK)
            case "absent":
                return self.cannot_look("this session has no keyring service")
            case "silent":
                self._retry_at = self._clock() + RETRY * 10  # each look may have opened a dialog
                return self.cannot_look(f"the keyring did not answer within {self._time_to_answer:g} s", _UNLOCK)
            case _:
                self._retry_at = self._clock() + RETRY
                return self.cannot_look(f"the keyring failed: {answer.get('detail')}")

    def _read(self, text: str) -> Finding:
        if problem := flaw(text):
            hint = "run `claude-proxy credentials set` or `claude-proxy credentials forget`"
            return self.unusable(f"the stored key cannot be used: {problem}", hint, stops=True)
        kind: Kind = "oauth" if looks_like_oauth(text) else "api_key"
        return Finding(self.name, "found", f"entry {SERVICE}", credential=Credential(kind, Secret(text), self.name))


def remember(secret: Secret) -> str:
    """Store `secret` in the system keyring; the name of the keyring that took it. Raises CredentialUnusable."""
    if problem := flaw(secret.reveal()):
        raise CredentialUnusable(f"this is not a key: {problem}")
    answer = _ask("set", PATIENCE, secret.reveal())
    _touch(_marker())
    return _done(answer, "store the key")


def forget() -> bool:
    """Remove the stored key; whether there was one. Raises CredentialUnusable if the keyring cannot be asked."""
    answer = _ask("forget", PATIENCE)
    _touch(_marker())
    if answer.get("state") == "not here":
        return False
    _done(answer, "forget the key")
    return True


def _done(answer: dict[str, object], what: str) -> str:
    match answer.get("state"):
        case "done":
            return str(answer.get("detail"))
        case "absent":
            reason = "this session has no keyring service"
        case "locked":
            reason = "the keyring is locked"
        case "silent":
            reason = "the keyring did not answer"
        case _:
            reason = str(answer.get("detail"))
    raise CredentialUnusable(f"cannot {what}: {reason}", hint="unlock your keyring, or set ANTHROPIC_API_KEY instead")


def _ask(action: str, deadline: float, secret: str = "") -> dict[str, object]:
    # -P: nothing that lies in the current directory can pass for a module of ours
    command = [sys.executable, "-P", str(_CHILD), action, SERVICE, ACCOUNT]
    try:
        done = subprocess.run(  # noqa: S603 - our own program
            command,
            input=secret.encode(),
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=without_secrets(os.environ),
            timeout=deadline,
            check=False,
        )
        answer = json.loads(done.stdout)
    except subprocess.TimeoutExpired:
        return {"state": "silent"}
    except (OSError, ValueError):  # it could not start, or died before it answered
        return {"state": "error", "detail": "it could not be asked"}
    return answer if isinstance(answer, dict) else {}


def _marker() -> Path:
    """A file without content that `set` and `forget` touch, so that a running daemon looks again."""
    return paths().state / "keyring-changed"


def _touch(file: Path) -> None:
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    file.touch(0o600)
