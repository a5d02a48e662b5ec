"""A key that the user gave to this program: an entry in the system's keyring, under this program's own name."""

import json
import os
import sys
from pathlib import Path

from claude_proxy.credentials.base import (
    MAX_SECRET,
    Credential,
    Finding,
    Kind,
    Secret,
    Source,
    flaw,
    looks_like_oauth,
    printable,
)
from claude_proxy.credentials.fingerprint import fingerprint
from claude_proxy.credentials.programs import ProgramError, ProgramTimeout, run_program, without_secrets
from claude_proxy.errors import CredentialUnusable
from claude_proxy.files import make_directory
from claude_proxy.paths import APP, paths

SERVICE = APP
ACCOUNT = "anthropic"
LOOK_TIMEOUT = 5.0
DIALOG_TIMEOUT = 60.0  # to store or forget: the user may have to answer a dialog
RETRY = 60.0  # a keyring that was locked at login may be open now
_CHILD = Path(__file__).with_name("keyring_child.py")
_MAX_ANSWER = 16 * MAX_SECRET  # in JSON a character may take six bytes
_UNLOCK = "unlock your keyring, and this source is asked again"


class SystemKeyring(Source):
    """The entry `claude-proxy` in the system keyring, which `claude-proxy credentials set` writes."""

    name = "system keyring"
    description = f"a key you gave this program (keyring entry {SERVICE}, {ACCOUNT})"

    def __init__(self, timeout: float = LOOK_TIMEOUT) -> None:
        self._timeout = timeout
        self._marker = _marker()

    def fingerprint(self) -> object:
        return fingerprint(self._marker)

    def look(self) -> Finding:
        answer = _ask_keyring("get", self._timeout)
        match answer.get("state"):
            case "found":
                return self._read(str(answer.get("secret", "")).strip())
            case "not here":
                return self.not_here(f"no entry {SERVICE}")
            case "locked":
                return self.cannot_look("the keyring is locked", _UNLOCK, ttl=RETRY)
            case "absent":
                return self.cannot_look("this session has no keyring service")
            case "silent":  # the next look may open another dialog: not soon
                return self.cannot_look(
                    f"the keyring did not answer within {self._timeout:g} s", _UNLOCK, ttl=RETRY * 10
                )
            case _:
                return self.cannot_look(f"the keyring failed: {answer.get('detail')}", ttl=RETRY)

    def _read(self, text: str) -> Finding:
        if problem := flaw(text):
            hint = "run `claude-proxy credentials set` or `claude-proxy credentials forget`"
            return self.unusable(f"the stored key cannot be used: {problem}", hint, stops=True)
        kind: Kind = "oauth" if looks_like_oauth(text) else "api_key"
        return Finding(self.name, "found", f"entry {SERVICE}", credential=Credential(kind, Secret(text), self.name))


def remember(secret: Secret) -> str:
    """Store `secret` in the system keyring; the name of the keyring that holds it. Raises CredentialUnusable."""
    if problem := flaw(secret.reveal()):
        raise CredentialUnusable(f"this is not a key: {problem}")
    answer = _ask_keyring("set", DIALOG_TIMEOUT, secret.reveal())
    _touch_marker()
    return _check_done(answer, "store the key")


def forget() -> bool:
    """Remove the stored key; whether there was one. Raises CredentialUnusable if the keyring cannot be asked."""
    answer = _ask_keyring("forget", DIALOG_TIMEOUT)
    _touch_marker()
    if answer.get("state") == "not here":
        return False
    _check_done(answer, "forget the key")
    return True


def _check_done(answer: dict[str, object], action: str) -> str:
    """The detail of an answer that says "done". Raises CredentialUnusable for any other."""
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
    raise CredentialUnusable(f"cannot {action}: {reason}", hint="unlock your keyring, or set ANTHROPIC_API_KEY instead")


def _ask_keyring(action: str, timeout: float, secret: str = "") -> dict[str, object]:
    """The answer of `keyring_child.py`; its `detail`, which may be a third party's text, can be shown as it is."""
    # -P: no file of the current directory is imported in place of a module
    command = [sys.executable, "-P", str(_CHILD), action, SERVICE, ACCOUNT]
    try:
        done = run_program(
            command,
            environ=without_secrets(os.environ),
            cwd=None,
            timeout=timeout,
            max_output=_MAX_ANSWER,
            stdin=secret.encode(),
            own_session=False,  # a keyring may ask for its password on the terminal
        )
        answer = json.loads(done.stdout)
    except ProgramTimeout:
        return {"state": "silent"}
    except (ProgramError, ValueError):  # it could not start, or ended before it answered
        return {"state": "error", "detail": "it could not be asked"}
    if not isinstance(answer, dict):
        return {}
    if "detail" in answer:
        detail = str(answer["detail"])
        answer["detail"] = printable(detail.replace(secret, "***") if secret else detail)
    return answer


def _marker() -> Path:
    """A file without content that `set` and `forget` touch, so that a running daemon looks again."""
    return paths().state / "keyring-changed"


def _touch_marker() -> None:
    file = _marker()
    make_directory(file.parent)
    file.touch(0o600)
