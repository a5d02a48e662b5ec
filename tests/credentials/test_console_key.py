import pytest

from claude_proxy.credentials.cli_keyrings import CliFileKeyring, CliKeychain
from claude_proxy.credentials.console_key import ConsoleKey
from claude_proxy.credentials.keychain_age import KeychainAge
from tests.credentials.contract import SECRET, SourceContract, found


class TestInTheStateFile(SourceContract):
    @pytest.fixture(autouse=True)
    def _store(self, cli):
        self.cli = cli

    def empty(self):
        return ConsoleKey(self.cli.places)

    def holding(self, secret: str):
        self.cli.keep_key(secret)
        return ConsoleKey(self.cli.places)

    def test_it_is_an_api_key_of_the_clis(self):
        credential = found(self.holding(SECRET))
        assert credential.kind == "api_key"
        assert credential.stored_login
        assert not credential.follows_base_url

    def test_a_blank_key_is_no_key(self):
        assert self.holding("  ").look().state == "not here"

    def test_a_damaged_state_file_is_reported(self):
        self.cli.places.state_file.write_text("{")
        assert self.empty().look().state == "cannot look"


class TestInTheKeychain(SourceContract):
    @pytest.fixture(autouse=True)
    def _store(self, cli, executable, tmp_path):
        self.cli, self.executable, self.directory = cli, executable, tmp_path

    def on_a_mac(self, script: str):
        security = self.executable("security", f"#!/bin/sh\n{script}\n")
        return ConsoleKey(
            self.cli.places,
            lambda: [CliKeychain(self.cli.places, security), CliFileKeyring(self.cli.places)],
            KeychainAge("darwin", lambda: 0.0),
        )

    def empty(self):
        return self.on_a_mac("exit 44")

    def holding(self, secret: str):
        (self.directory / "stored").write_bytes(secret.encode())
        return self.on_a_mac(f"cat {self.directory}/stored")

    def test_a_locked_keychain_leaves_the_file(self):
        self.cli.keep_key(SECRET)
        assert found(self.on_a_mac("exit 36")).secret.reveal() == SECRET

    def test_a_locked_keychain_without_a_file_cannot_be_looked_into(self):
        assert self.on_a_mac("exit 36").look().state == "cannot look"
