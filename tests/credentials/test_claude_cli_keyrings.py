import json

import keyring.backend
import pytest
from keyring.errors import KeyringError, KeyringLocked, PasswordDeleteError, PasswordSetError

from claude_proxy.credentials import claude_cli_keyrings
from claude_proxy.credentials.claude_cli_keyrings import ClaudeCliFileKeyring, ClaudeCliKeychain, decode_security_output

DOCUMENT = '{"claudeAiOauth":{"accessToken":"made-up"},"mcpOAuth":{}}'


def test_the_file_answers_for_the_login(claude_cli):
    claude_cli.write_text(DOCUMENT)
    assert ClaudeCliFileKeyring(claude_cli.paths).get_password("Claude Code-credentials", "somebody") == DOCUMENT


def test_the_file_answers_for_the_console_key(claude_cli):
    claude_cli.keep_key("made-up-key")
    assert ClaudeCliFileKeyring(claude_cli.paths).get_password("Claude Code", "somebody") == "made-up-key"


@pytest.mark.parametrize("service", ["Claude Code-credentials", "Claude Code", "something else"])
def test_nothing_there_is_none(claude_cli, service):
    assert ClaudeCliFileKeyring(claude_cli.paths).get_password(service, "somebody") is None


def test_the_older_state_file_wins_unless_it_is_empty(claude_cli):
    claude_cli.keep_key("newer")
    older = claude_cli.paths.state_files[0]
    older.parent.mkdir()
    older.write_text("")
    assert ClaudeCliFileKeyring(claude_cli.paths).get_password("Claude Code", "somebody") == "newer"
    older.write_text(json.dumps({"primaryApiKey": "older"}))
    assert ClaudeCliFileKeyring(claude_cli.paths).get_password("Claude Code", "somebody") == "older"


@pytest.mark.parametrize("text", ["[]", '"text"', '{"primaryApiKey": 7}'])
def test_a_state_file_in_another_form_holds_no_key(claude_cli, text):
    claude_cli.paths.state_file.write_text(text)
    assert ClaudeCliFileKeyring(claude_cli.paths).get_password("Claude Code", "somebody") is None


@pytest.mark.parametrize("text", ["{", "[" * 100_000])
def test_a_state_file_that_is_not_json_is_an_error(claude_cli, text):
    claude_cli.paths.state_file.write_text(text)
    with pytest.raises(KeyringError, match="not valid JSON"):
        ClaudeCliFileKeyring(claude_cli.paths).get_password("Claude Code", "somebody")


def test_a_file_that_cannot_be_read_is_an_error(claude_cli):
    claude_cli.paths.login_file.mkdir(parents=True)
    with pytest.raises(KeyringError, match=r"\.credentials\.json"):
        ClaudeCliFileKeyring(claude_cli.paths).get_password("Claude Code-credentials", "somebody")


def test_a_file_without_end_is_not_read_to_its_end(claude_cli, monkeypatch):
    monkeypatch.setattr(claude_cli_keyrings, "_MAX_LOGIN", 100)
    claude_cli.write_text("x" * 101)
    with pytest.raises(KeyringError, match="larger"):
        ClaudeCliFileKeyring(claude_cli.paths).get_password("Claude Code-credentials", "somebody")


@pytest.mark.parametrize("backend", [ClaudeCliFileKeyring, ClaudeCliKeychain])
def test_a_store_of_the_cli_is_only_read(claude_cli, backend):
    store = backend(claude_cli.paths)
    with pytest.raises(PasswordSetError):
        store.set_password("Claude Code", "somebody", "new")
    with pytest.raises(PasswordDeleteError):
        store.delete_password("Claude Code", "somebody")


def test_keyring_never_picks_a_store_of_the_cli():
    offered = keyring.backend.get_all_keyring()
    assert not [each for each in offered if isinstance(each, ClaudeCliFileKeyring | ClaudeCliKeychain)]
    assert ClaudeCliFileKeyring.priority < 0
    assert ClaudeCliKeychain.priority < 0


def test_a_variable_of_keyrings_does_not_move_where_a_store_looks(claude_cli, monkeypatch):
    monkeypatch.setenv("KEYRING_PROPERTY__PATHS", "elsewhere")
    monkeypatch.setenv("KEYRING_PROPERTY__SECURITY", "elsewhere")
    assert vars(ClaudeCliFileKeyring(claude_cli.paths)) == {"_paths": claude_cli.paths}


class TestTheKeychain:
    """The system's `security`, played by a script that answers as recorded."""

    @pytest.fixture
    def keychain(self, claude_cli, executable, tmp_path):
        def make(script: str) -> ClaudeCliKeychain:
            text = f'#!/bin/sh\nprintf "%s|" "$@" > {tmp_path}/asked\n{script}\n'
            return ClaudeCliKeychain(claude_cli.paths, executable("security", text))

        return make

    def ask(self, keychain):
        return keychain.get_password("Claude Code-credentials", "somebody")

    def test_the_entry_is_asked_for_by_service_and_account(self, keychain, tmp_path):
        self.ask(keychain("exit 44"))
        assert (tmp_path / "asked").read_text() == "find-generic-password|-a|somebody|-w|-s|Claude Code-credentials|"

    def test_text_comes_back_as_it_is(self, keychain):
        assert self.ask(keychain(f"printf '%s\\n' '{DOCUMENT}'")) == DOCUMENT

    def test_hex_comes_back_as_text(self, keychain):
        stored = '{"claudeAiOauth":{"organization":"Café"}}'
        assert self.ask(keychain(f"echo {stored.encode().hex()}")) == stored

    def test_exit_44_is_no_such_entry(self, keychain):
        assert self.ask(keychain("exit 44")) is None

    def test_exit_36_is_a_locked_keychain(self, keychain):
        with pytest.raises(KeyringLocked, match="locked"):
            self.ask(keychain("exit 36"))

    def test_another_exit_is_an_error(self, keychain):
        with pytest.raises(KeyringError, match="exit code 51"):
            self.ask(keychain("exit 51"))

    def test_no_such_program_is_an_error(self, claude_cli, tmp_path):
        with pytest.raises(KeyringError, match="cannot run"):
            self.ask(ClaudeCliKeychain(claude_cli.paths, tmp_path / "absent"))

    def test_a_keychain_that_never_answers_is_given_up(self, keychain, monkeypatch):
        monkeypatch.setattr(claude_cli_keyrings, "_SECURITY_TIMEOUT", 0.05)
        with pytest.raises(KeyringLocked, match="did not answer"):
            self.ask(keychain("exec sleep 60"))


@pytest.mark.parametrize(
    ("printed", "stored"),
    [
        (b"sk-ant-api03-x\n", "sk-ant-api03-x"),
        (b"7b0a7d\n", "{\n}"),
        (b"7b7d\n", "{}"),  # a document in any case
        (b"abc\n", "abc"),  # an odd number of digits
        (b"6162\n", "6162"),  # would decode to plain text, which is never printed as hex
        (b"ff00\n", "\N{REPLACEMENT CHARACTER}\x00"),
        (b"\n", ""),
    ],
)
def test_hex_is_told_from_text(printed, stored):
    assert decode_security_output(printed) == stored
