import pytest
from keyring.backend import KeyringBackend

from claude_proxy.credentials.claude_cli_keyrings import ClaudeCliFileKeyring, ClaudeCliKeychain
from claude_proxy.credentials.claude_cli_stores import KEYCHAIN_TTL
from claude_proxy.credentials.console_key import ConsoleKey
from tests.credentials.conftest import ClaudeCliStore
from tests.credentials.contract import SECRET, SourceContract, found


class TestInTheStateFile(SourceContract):
    @pytest.fixture(autouse=True)
    def _store(self, claude_cli):
        self.claude_cli = claude_cli

    def empty(self):
        return ConsoleKey(self.claude_cli.paths)

    def holding(self, secret: str):
        self.claude_cli.keep_key(secret)
        return ConsoleKey(self.claude_cli.paths)

    def test_it_is_an_api_key_of_the_clis(self):
        credential = found(self.holding(SECRET))
        assert credential.kind == "api_key"
        assert credential.stored_login
        assert not credential.follows_base_url

    def test_a_blank_key_is_no_key(self):
        assert self.holding("  ").look().state == "not here"

    def test_a_damaged_state_file_is_reported(self):
        self.claude_cli.paths.state_file.write_text("{")
        assert self.empty().look().state == "cannot look"


class TestInTheKeychain(SourceContract):
    @pytest.fixture(autouse=True)
    def _store(self, claude_cli, executable, tmp_path):
        self.claude_cli, self.executable, self.directory = claude_cli, executable, tmp_path

    def on_a_mac(self, script: str):
        security = self.executable("security", f"#!/bin/sh\n{script}\n")
        return ConsoleKey(
            self.claude_cli.paths,
            lambda: [ClaudeCliKeychain(self.claude_cli.paths, security), ClaudeCliFileKeyring(self.claude_cli.paths)],
            platform="darwin",
        )

    def empty(self):
        return self.on_a_mac("exit 44")

    def holding(self, secret: str):
        (self.directory / "stored").write_bytes(secret.encode())
        return self.on_a_mac(f"cat {self.directory}/stored")

    def test_a_locked_keychain_leaves_the_file(self):
        self.claude_cli.keep_key(SECRET)
        assert found(self.on_a_mac("exit 36")).secret.reveal() == SECRET

    def test_a_locked_keychain_without_a_file_cannot_be_looked_into(self):
        assert self.on_a_mac("exit 36").look().state == "cannot look"


def test_a_key_that_other_users_can_read_comes_with_a_hint(claude_cli):
    claude_cli.keep_key(SECRET)
    assert ConsoleKey(claude_cli.paths).look().hint is None
    claude_cli.paths.state_file.chmod(0o644)
    assert "chmod 600" in (ConsoleKey(claude_cli.paths).look().hint or "")


def test_a_relative_directory_is_not_looked_into(home, tmp_path, monkeypatch):
    (tmp_path / ".claude").mkdir()
    ClaudeCliStore(home, {"CLAUDE_CONFIG_DIR": f"{tmp_path}/.claude"}).keep_key(SECRET)
    monkeypatch.chdir(tmp_path)
    assert ConsoleKey(ClaudeCliStore(home, {"CLAUDE_CONFIG_DIR": ".claude"}).paths).look().state == "unusable"


def test_what_a_keychain_answers_is_asked_again_after_a_while_and_a_file_only_when_it_changes(claude_cli):
    claude_cli.keep_key(SECRET)

    def files() -> list[KeyringBackend]:
        return [ClaudeCliFileKeyring(claude_cli.paths)]

    assert ConsoleKey(claude_cli.paths, files, platform="darwin").look().ttl == KEYCHAIN_TTL
    assert ConsoleKey(claude_cli.paths, files, platform="linux").look().ttl is None
