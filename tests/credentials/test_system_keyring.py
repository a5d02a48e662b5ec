"""The system keyring, played by small backends that keyring loads as it loads any other."""

import pytest

from claude_proxy.credentials import system_keyring
from claude_proxy.credentials.base import Secret
from claude_proxy.credentials.system_keyring import RETRY, SystemKeyring, forget, remember
from claude_proxy.errors import CredentialUnusable
from tests.credentials.contract import SECRET, SourceContract, found

BACKENDS = '''
import json, pathlib, time
from keyring.backend import KeyringBackend
from keyring.errors import KeyringError, KeyringLocked, PasswordDeleteError

class Filed(KeyringBackend):
    """A keyring in a plain file beside this one."""
    priority = 1
    file = pathlib.Path(__file__).with_name("kept.json")
    def kept(self):
        return json.loads(self.file.read_text()) if self.file.exists() else {}
    def get_password(self, service, username):
        return self.kept().get(f"{service}/{username}")
    def set_password(self, service, username, password):
        self.file.write_text(json.dumps(self.kept() | {f"{service}/{username}": password}))
    def delete_password(self, service, username):
        kept = self.kept()
        if kept.pop(f"{service}/{username}", None) is None:
            raise PasswordDeleteError("no such entry")
        self.file.write_text(json.dumps(kept))

class Failing(Filed):
    error = KeyringError("out of order")
    def get_password(self, service, username):
        raise self.error
    def set_password(self, service, username, password):
        raise self.error
    delete_password = get_password

class Locked(Failing):
    error = KeyringLocked("locked")

class Broken(Failing):
    error = ZeroDivisionError("a backend of no known make")

class Silent(Filed):
    def get_password(self, service, username):
        time.sleep(60)
    set_password = lambda self, service, username, password: time.sleep(60)

class Talkative(Filed):
    def get_password(self, service, username):
        raise KeyringError("\\x1b[2Jno sk-ant-api03-made-up in\\nerror: forged")
    def set_password(self, service, username, password):
        raise KeyringError(f"\\x1b]0;x\\x07cannot keep {password}")

class Printing(Filed):
    def get_password(self, service, username):
        print("a backend may print")
        return super().get_password(service, username)

class Endless(Filed):
    def get_password(self, service, username):
        return "x" * 10_000_000

class Dying(Filed):
    def get_password(self, service, username):
        import os
        os._exit(3)
'''


@pytest.fixture
def backend(tmp_path, monkeypatch):
    """A function that makes a backend the system's keyring."""
    (tmp_path / "rings.py").write_text(BACKENDS)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))

    def choose(name: str) -> None:
        monkeypatch.setenv("PYTHON_KEYRING_BACKEND", name if "." in name else f"rings.{name}")

    choose("Filed")
    return choose


class TestSystemKeyring(SourceContract):
    @pytest.fixture(autouse=True)
    def _ring(self, backend, tmp_path):
        self.file = tmp_path / "kept.json"

    def empty(self):
        return SystemKeyring()

    def holding(self, secret: str):
        import json

        self.file.write_text(json.dumps({"claude-proxy/anthropic": secret}))
        return SystemKeyring()


def test_a_key_is_remembered_seen_at_once_and_forgotten(backend):
    source = SystemKeyring()
    before = source.fingerprint()
    assert "Filed" in remember(Secret(SECRET))
    assert source.fingerprint() != before
    credential = found(source)
    assert credential.secret.reveal() == SECRET
    assert credential.kind == "api_key"
    assert not credential.follows_base_url
    assert forget()
    assert source.look().state == "not here"
    assert not forget()


def test_a_setup_token_is_known_as_oauth(backend):
    remember(Secret("sk-ant-oat01-made-up"))
    assert found(SystemKeyring()).kind == "oauth"


def test_what_is_not_a_key_is_not_stored(backend, tmp_path):
    with pytest.raises(CredentialUnusable, match="not a key"):
        remember(Secret("two words"))
    assert not (tmp_path / "kept.json").exists()


@pytest.mark.parametrize(
    ("name", "detail"),
    [
        ("Locked", "locked"),
        ("Failing", "out of order"),
        ("Broken", "ZeroDivisionError"),
        ("Dying", "could not be asked"),
        ("keyring.backends.fail.Keyring", "no keyring service"),
    ],
)
def test_a_keyring_that_cannot_answer_is_passed_over(backend, name, detail):
    backend(name)
    finding = SystemKeyring().look()
    assert finding.state == "cannot look"
    assert detail in finding.detail
    assert not finding.stops


@pytest.mark.parametrize("name", ["Locked", "Failing", "keyring.backends.fail.Keyring"])
def test_a_keyring_that_cannot_store_says_so(backend, name):
    backend(name)
    with pytest.raises(CredentialUnusable, match="cannot store the key"):
        remember(Secret(SECRET))
    with pytest.raises(CredentialUnusable, match="cannot forget the key"):
        forget()


def test_a_keyring_that_never_answers_is_given_up(backend):
    backend("Silent")
    finding = SystemKeyring(timeout=1.0).look()
    assert finding.state == "cannot look"
    assert "did not answer" in finding.detail


def test_a_keyring_that_never_answers_stores_nothing(backend, monkeypatch):
    backend("Silent")
    monkeypatch.setattr(system_keyring, "DIALOG_TIMEOUT", 1.0)
    with pytest.raises(CredentialUnusable, match="did not answer"):
        remember(Secret(SECRET))


@pytest.mark.parametrize(("name", "ttl"), [("Locked", RETRY), ("Failing", RETRY), ("Filed", None)])
def test_a_keyring_that_could_not_answer_is_asked_again_after_a_while(backend, name, ttl):
    backend(name)
    assert SystemKeyring().look().ttl == ttl


def test_what_a_keyring_says_is_shown_on_one_line_without_secrets(backend):
    backend("Talkative")
    finding = SystemKeyring().look()
    assert finding.detail == "the keyring failed: \\x1b[2Jno sk-ant-*** in error: forged"
    with pytest.raises(CredentialUnusable) as caught:
        remember(Secret("a-key-without-a-known-form"))
    assert caught.value.message == "cannot store the key: \\x1b]0;x\\x07cannot keep ***"


def test_what_a_keyring_prints_does_not_hide_its_answer(backend):
    backend("Printing")
    remember(Secret(SECRET))
    assert found(SystemKeyring()).secret.reveal() == SECRET


def test_an_entry_without_end_is_not_read_to_its_end(backend):
    backend("Endless")
    assert "could not be asked" in SystemKeyring().look().detail


def test_a_program_that_cannot_start_is_no_answer(backend, monkeypatch):
    monkeypatch.setattr("sys.executable", "/nowhere/python")
    assert SystemKeyring().look().state == "cannot look"
