"""The system keyring, asked in a process of its own: `keyring_child.py ACTION SERVICE ACCOUNT`.

A keyring may wait for ever for the user to answer a dialog, and a waiting thread cannot be ended, but a process
can. A secret comes in on stdin and goes out on stdout, in JSON; never in an argument. This file is run by its
path and imports nothing of the package, so that it starts fast.
"""

import json
import os
import signal
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from keyring.backend import KeyringBackend

_MAX_SECONDS = 90  # it ends even if the process that started it has died


def main(action: str, service: str, account: str) -> dict[str, str | None]:
    import keyring  # noqa: PLC0415 - after the alarm is set: this is where a dead D-Bus is met
    from keyring.errors import KeyringError, KeyringLocked, NoKeyringError, PasswordDeleteError  # noqa: PLC0415

    try:
        backend = keyring.get_keyring()
        if action == "get" and _is_locked(backend):
            return {"state": "locked"}
        match action:
            case "get":
                secret = backend.get_password(service, account)
                return {"state": "not here"} if secret is None else {"state": "found", "secret": secret}
            case "set":
                return _set(backend, service, account, sys.stdin.read())
            case "forget":
                backend.delete_password(service, account)
                return {"state": "done", "detail": backend.name}
            case _:
                return {"state": "error", "detail": f"unknown action {action}"}
    except NoKeyringError:
        return {"state": "absent"}
    except PasswordDeleteError:
        return {"state": "not here"}
    except KeyringLocked:
        return {"state": "locked"}
    except KeyringError as exc:
        return {"state": "error", "detail": str(exc)}


def _set(backend: "KeyringBackend", service: str, account: str, secret: str) -> dict[str, str | None]:
    if _is_plain_file(backend) and not os.environ.get("PYTHON_KEYRING_BACKEND"):
        return {"state": "error", "detail": "the only keyring here would write it to a file without encryption"}
    backend.set_password(service, account, secret)
    if backend.get_password(service, account) != secret:  # the null keyring stores nothing and raises nothing
        return {"state": "error", "detail": f"{backend.name} did not store it"}
    return {"state": "done", "detail": backend.name}


def _is_plain_file(backend: object) -> bool:
    """Whether it stores in a file without encryption: keyrings.alt makes that the default if nothing else is there."""
    first = getattr(backend, "backends", None) or [backend]
    return type(first[0]).__module__.startswith("keyrings.alt.") and "Plaintext" in type(first[0]).__name__


def _is_locked(backend: object) -> bool:
    """Whether a Secret Service is in use and locked: a request for a secret then opens a dialog, or hangs."""
    if type(backend).__module__ != "keyring.backends.SecretService":
        chained = getattr(backend, "backends", None)
        return isinstance(chained, list) and any(_is_locked(each) for each in chained)
    from contextlib import closing  # noqa: PLC0415 - only here

    import secretstorage  # type: ignore[import-not-found,import-untyped,unused-ignore] # noqa: PLC0415 - Linux only

    with closing(secretstorage.dbus_init()) as connection:
        return bool(secretstorage.get_default_collection(connection).is_locked())


if __name__ == "__main__":
    if hasattr(signal, "alarm"):  # not on Windows
        signal.alarm(_MAX_SECONDS)
    if sys.platform != "darwin":
        # keyring loads every backend. That of macOS asks linker and compiler for Apple's libraries, which takes
        # 0.2 s where there is a compiler; without this module it declares itself unusable at once.
        sys.modules["keyring.backends.macOS.api"] = None  # type: ignore[assignment]
    stdout, sys.stdout = sys.stdout, sys.stderr  # what a backend prints must not get into the JSON
    try:
        answer = main(*sys.argv[1:])
    except Exception as exc:  # noqa: BLE001 - a third party's backend may raise anything; its name is enough
        answer = {"state": "error", "detail": type(exc).__name__}
    json.dump(answer, stdout)
