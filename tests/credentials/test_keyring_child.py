"""The process that asks the system keyring, called here as a function; `test_system_keyring.py` runs it."""

import io
import json
import runpy
import sys
import types

import keyring.core
import pytest
from keyring.backend import KeyringBackend
from keyring.backends import null
from keyring.errors import KeyringError, KeyringLocked, NoKeyringError, PasswordDeleteError

from claude_proxy.credentials import keyring_child


class Kept(KeyringBackend):
    """A keyring in memory. It takes an argument, so keyring never makes one by itself."""

    priority = -1.0

    def __init__(self, problem: Exception | None) -> None:
        self.secrets: dict[tuple[str, str], str] = {}
        self.problem = problem

    def get_password(self, service, username):
        if self.problem:
            raise self.problem
        return self.secrets.get((service, username))

    def set_password(self, service, username, password):
        self.secrets[service, username] = password

    def delete_password(self, service, username):
        if self.secrets.pop((service, username), None) is None:
            raise PasswordDeleteError("no such entry")


@pytest.fixture
def use(monkeypatch):
    """A function that makes a keyring the system's, with `typed` on stdin."""

    def use(backend, typed: str = ""):
        monkeypatch.delenv("PYTHON_KEYRING_BACKEND", raising=False)
        monkeypatch.setattr(keyring.core, "_keyring_backend", backend)
        monkeypatch.setattr(sys, "stdin", io.StringIO(typed))

    return use


def ask(action: str) -> dict[str, str | None]:
    return keyring_child.main(action, "service", "account")


def test_a_secret_is_set_got_and_forgotten(use):
    use(Kept(None), "secret")
    assert ask("get") == {"state": "not here"}
    assert ask("set")["state"] == "done"
    assert ask("get") == {"state": "found", "secret": "secret"}
    assert ask("forget")["state"] == "done"
    assert ask("forget") == {"state": "not here"}


@pytest.mark.parametrize(
    ("problem", "state"),
    [(NoKeyringError("none"), "absent"), (KeyringLocked("shut"), "locked"), (KeyringError("odd"), "error")],
)
def test_each_problem_has_its_state(use, problem, state):
    use(Kept(problem))
    assert ask("get")["state"] == state


def test_another_action_is_an_error(use):
    use(Kept(None))
    assert ask("read") == {"state": "error", "detail": "unknown action read"}


def test_a_keyring_that_keeps_nothing_is_found_out(use):
    use(null.Keyring(), "secret")
    assert ask("set")["state"] == "error"


def plain(name: str):
    """A backend as keyrings.alt has it: a plain file."""
    backend = Kept(None)
    backend.__class__ = type(name, (Kept,), {"__module__": "keyrings.alt.file"})
    return backend


def test_a_key_is_not_stored_in_a_file_without_encryption(use):
    backend = plain("PlaintextKeyring")
    use(backend, "secret")
    assert "without encryption" in (ask("set")["detail"] or "")
    assert backend.secrets == {}


def test_a_file_without_encryption_that_the_user_chose_is_used(use, monkeypatch):
    use(plain("PlaintextKeyring"), "secret")
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyrings.alt.file.PlaintextKeyring")
    assert ask("set")["state"] == "done"


def test_an_encrypted_file_is_used(use):
    use(plain("EncryptedKeyring"), "secret")
    assert ask("set")["state"] == "done"


@pytest.mark.parametrize("chained", [False, True])
def test_a_locked_secret_service_is_not_asked_for_a_secret(use, monkeypatch, chained):
    service = Kept(AssertionError("it would open a dialog"))
    service.__class__ = type("Keyring", (Kept,), {"__module__": "keyring.backends.SecretService"})
    collection = types.SimpleNamespace(is_locked=lambda: True)
    fake = types.SimpleNamespace(
        dbus_init=lambda: types.SimpleNamespace(close=lambda: None), get_default_collection=lambda _: collection
    )
    monkeypatch.setitem(sys.modules, "secretstorage", fake)
    if chained:
        chain = Kept(AssertionError("it would ask the first"))
        chain.backends = [service]  # type: ignore[attr-defined]
        use(chain)
    else:
        use(service)
    assert ask("get") == {"state": "locked"}


@pytest.mark.parametrize(
    ("problem", "answer"),
    [(None, {"state": "not here"}), (ZeroDivisionError("odd"), {"state": "error", "detail": "ZeroDivisionError"})],
)
def test_run_as_a_program_it_answers_in_json(use, monkeypatch, problem, answer):
    alarms: list[int] = []
    written = io.StringIO()
    use(Kept(problem))
    monkeypatch.setattr(sys, "argv", ["keyring_child.py", "get", "service", "account"])
    monkeypatch.setattr(sys, "stdout", written)
    monkeypatch.setattr("signal.alarm", alarms.append)
    runpy.run_path(keyring_child.__file__, run_name="__main__")
    assert json.loads(written.getvalue()) == answer
    assert len(alarms) == 1
