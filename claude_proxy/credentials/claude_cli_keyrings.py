"""The Claude CLI's stores of logins as keyring backends: a file, and on macOS the login keychain.

Both only read. Storing and deleting are errors, because a second program that writes here logs the user out.
The classes need an argument, have a negative priority and no entry point, so keyring itself never picks one.
Importing this module imports keyring, which takes some 60 ms: import it for a look, not at start-up.
"""

import json
import os
import re
from pathlib import Path
from typing import NoReturn

from keyring.backend import KeyringBackend
from keyring.errors import KeyringError, KeyringLocked, PasswordDeleteError, PasswordSetError

from claude_proxy.credentials.claude_cli_paths import ClaudeCliPaths
from claude_proxy.credentials.file_reading import read_file
from claude_proxy.credentials.programs import ProgramError, ProgramTimeout, run_program

SECURITY = Path("/usr/bin/security")  # absolute: a `security` on the PATH may be another program
_SECURITY_TIMEOUT = 5.0
_NO_SUCH_ITEM = 44
_LOCKED = 36
_HEX = re.compile(r"(?:[0-9a-f]{2})+")
_PRINTABLE = re.compile(rb"[\x20-\x7e]*")
_MAX_LOGIN = 1024 * 1024
_MAX_STATE = 64 * 1024 * 1024  # the CLI keeps per-project history in the same file


class _ReadOnlyKeyring(KeyringBackend):
    priority = -1.0

    def __init__(self, paths: ClaudeCliPaths) -> None:
        # Not super().__init__(): it lets KEYRING_PROPERTY_… variables replace attributes such as the paths.
        self._paths = paths

    def set_password(self, service: str, username: str, password: str) -> NoReturn:
        raise PasswordSetError("the Claude CLI's store is only read here")

    def delete_password(self, service: str, username: str) -> NoReturn:
        raise PasswordDeleteError("the Claude CLI's store is only read here")


class ClaudeCliFileKeyring(_ReadOnlyKeyring):
    """`.credentials.json` and the key in `.claude.json`, under the names that they have in the keychain.

    `get_password` gives None for what is not there and raises KeyringError where it cannot look.
    """

    def get_password(self, service: str, username: str) -> str | None:
        if service == self._paths.login_service:
            data = _read(self._paths.login_file, _MAX_LOGIN)
            return None if data is None else data.decode("utf-8", "replace")
        if service == self._paths.key_service:
            return self._console_key()
        return None

    def _console_key(self) -> str | None:
        for file in self._paths.state_files:
            if data := _read(file, _MAX_STATE):
                key = _json_member(data, "primaryApiKey", file)
                return key if isinstance(key, str) else None
        return None


class ClaudeCliKeychain(_ReadOnlyKeyring):
    """The CLI's entries in the macOS login keychain, read by the system's `security`, which made them.

    Reading them through the Security framework opens a dialog, for each Python interpreter and after each renewal.
    """

    def __init__(self, paths: ClaudeCliPaths, security: Path = SECURITY) -> None:
        super().__init__(paths)
        self._security = security

    def get_password(self, service: str, username: str) -> str | None:
        command = [str(self._security), "find-generic-password", "-a", username, "-w", "-s", service]
        try:
            done = run_program(
                command, environ=os.environ, cwd=None, timeout=_SECURITY_TIMEOUT, max_output=2 * _MAX_LOGIN
            )
        except ProgramTimeout:
            raise KeyringLocked(f"the keychain did not answer within {_SECURITY_TIMEOUT:.0f} s") from None
        except ProgramError as exc:
            raise KeyringError(f"cannot run {self._security}: {exc}") from None
        match done.code:
            case 0:
                return decode_security_output(done.stdout)
            case code if code == _NO_SUCH_ITEM:
                return None
            case code if code == _LOCKED:
                raise KeyringLocked("the keychain is locked")
            case code:
                raise KeyringError(f"{self._security} ended with exit code {code}")


def decode_security_output(output: bytes) -> str:
    """The stored text, from what `security -w` printed: hex if any byte of it is not printable ASCII."""
    text = output.decode("utf-8", "replace").removesuffix("\n")
    if not _HEX.fullmatch(text):
        return text
    stored = bytes.fromhex(text)
    if _PRINTABLE.fullmatch(stored) and not stored.startswith(b"{"):
        return text  # `security` prints such text as it is, so this is a key of hex digits
    return stored.decode("utf-8", "replace")


def _read(file: Path, limit: int) -> bytes | None:
    try:
        content = read_file(file, limit)
    except OSError as exc:
        raise KeyringError(f"{file}: {exc.strerror}") from None
    return content.data if content else None


def _json_member(data: bytes, name: str, file: Path) -> object:
    try:
        document = json.loads(data)
    except (ValueError, RecursionError):  # a JSON error holds the document: not chained
        raise KeyringError(f"{file}: not valid JSON") from None
    return document.get(name) if isinstance(document, dict) else None
