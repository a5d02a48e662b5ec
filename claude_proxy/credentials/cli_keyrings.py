"""The Claude CLI's stores of logins as keyring backends: a file, and on macOS the login keychain.

Both only read; storing and deleting are errors, since whoever writes behind the CLI's back logs its user out.
They need an argument to be made, have a negative priority and no entry point, so keyring itself never picks one.
Importing this module imports keyring: it is imported when somebody looks, not at start-up.
"""

import json
import re
import subprocess
from pathlib import Path
from typing import NoReturn

from keyring.backend import KeyringBackend
from keyring.errors import KeyringError, KeyringLocked, PasswordDeleteError, PasswordSetError

from claude_proxy.credentials.cli_places import CliPlaces

SECURITY = Path("/usr/bin/security")  # absolute: a `security` on the PATH could be anyone's
_SECURITY_DEADLINE = 5.0
_NO_SUCH_ITEM = 44
_LOCKED = 36
_HEX = re.compile(r"(?:[0-9a-f]{2})+")
_PRINTABLE = re.compile(rb"[\x20-\x7e]*")
_MAX_LOGIN = 1024 * 1024
_MAX_STATE = 64 * 1024 * 1024  # the CLI keeps per-project history in the same file


class _ReadOnlyKeyring(KeyringBackend):
    priority = -1.0

    def __init__(self, places: CliPlaces) -> None:
        # Not super().__init__(): it would let KEYRING_PROPERTY_… variables replace where this backend looks.
        self._places = places

    def set_password(self, service: str, username: str, password: str) -> NoReturn:
        raise PasswordSetError("the Claude CLI's store is only read here")

    def delete_password(self, service: str, username: str) -> NoReturn:
        raise PasswordDeleteError("the Claude CLI's store is only read here")


class CliFileKeyring(_ReadOnlyKeyring):
    """`.credentials.json` and the key in `.claude.json`, under the names that they have in the keychain.

    `get_password` gives None for what is not there and raises KeyringError where it cannot look.
    """

    def get_password(self, service: str, username: str) -> str | None:
        if service == self._places.login_service:
            data = _read(self._places.login_file, _MAX_LOGIN)
            return None if data is None else data.decode("utf-8", "replace")
        if service == self._places.key_service:
            return self._console_key()
        return None

    def _console_key(self) -> str | None:
        for file in self._places.state_files:
            if data := _read(file, _MAX_STATE):
                key = _member(data, "primaryApiKey", file)
                return key if isinstance(key, str) else None
        return None


class CliKeychain(_ReadOnlyKeyring):
    """The CLI's entries in the macOS login keychain, read by the system's `security`, which made them.

    Reading them through the Security framework would ask the user for leave, per Python and after each renewal.
    """

    def __init__(self, places: CliPlaces, security: Path = SECURITY) -> None:
        super().__init__(places)
        self._security = security

    def get_password(self, service: str, username: str) -> str | None:
        command = [str(self._security), "find-generic-password", "-a", username, "-w", "-s", service]
        try:
            done = subprocess.run(  # noqa: S603 - an absolute program, its arguments a list
                command, stdin=subprocess.DEVNULL, capture_output=True, timeout=_SECURITY_DEADLINE, check=False
            )
        except subprocess.TimeoutExpired:
            raise KeyringLocked(f"the keychain did not answer within {_SECURITY_DEADLINE:.0f} s") from None
        except OSError as exc:
            raise KeyringError(f"cannot run {self._security}: {exc.strerror}") from None
        match done.returncode:
            case 0:
                return decoded(done.stdout)
            case code if code == _NO_SUCH_ITEM:
                return None
            case code if code == _LOCKED:
                raise KeyringLocked("the keychain is locked")
            case code:
                raise KeyringError(f"{self._security} ended with exit code {code}")


def decoded(output: bytes) -> str:
    """What `security -w` printed, as the text that was stored: it prints hex once a byte is not printable ASCII."""
    text = output.decode("utf-8", "replace").removesuffix("\n")
    if not _HEX.fullmatch(text):
        return text
    stored = bytes.fromhex(text)
    if _PRINTABLE.fullmatch(stored) and not stored.startswith(b"{"):
        return text  # such text is printed as it is, so this is a key of hex digits
    return stored.decode("utf-8", "replace")


def _read(file: Path, limit: int) -> bytes | None:
    try:
        with file.open("rb") as opened:
            data = opened.read(limit + 1)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as exc:
        raise KeyringError(f"{file}: {exc.strerror}") from None
    if len(data) > limit:
        raise KeyringError(f"{file}: larger than {limit} bytes")
    return data


def _member(data: bytes, name: str, file: Path) -> object:
    try:
        document = json.loads(data)
    except (ValueError, RecursionError):  # a JSON error holds the document: not chained
        raise KeyringError(f"{file}: not valid JSON") from None
    return document.get(name) if isinstance(document, dict) else None
