import json
import math

import pytest
from keyring.backend import KeyringBackend

from claude_proxy.credentials.claude_cli_keyrings import ClaudeCliFileKeyring, ClaudeCliKeychain
from claude_proxy.credentials.claude_cli_stores import KEYCHAIN_TTL
from claude_proxy.credentials.stored_login import StoredLogin, epoch_seconds
from tests.credentials.conftest import ClaudeCliStore
from tests.credentials.contract import SECRET, SourceContract, found

LATER = 4_000_000_000_000  # milliseconds, in the year 2096
UNKNOWN: list[object] = [None, 0, -1, True, "soon", "", [], math.inf, math.nan, "nan", 10**400]


class TestInTheFile(SourceContract):
    @pytest.fixture(autouse=True)
    def _store(self, claude_cli):
        self.claude_cli = claude_cli

    def empty(self):
        return StoredLogin(self.claude_cli.paths)

    def holding(self, secret: str):
        self.claude_cli.log_in(secret)
        return StoredLogin(self.claude_cli.paths)


class TestInTheKeychain(SourceContract):
    @pytest.fixture(autouse=True)
    def _store(self, claude_cli, executable):
        self.claude_cli, self.executable = claude_cli, executable

    def on_a_mac(self, script: str):
        security = self.executable("security", f"#!/bin/sh\n{script}\n")
        return StoredLogin(
            self.claude_cli.paths,
            lambda: [ClaudeCliKeychain(self.claude_cli.paths, security), ClaudeCliFileKeyring(self.claude_cli.paths)],
            platform="darwin",
        )

    def empty(self):
        return self.on_a_mac("exit 44")

    def holding(self, secret: str):
        document = json.dumps({"claudeAiOauth": {"accessToken": secret, "expiresAt": LATER - 1}}, ensure_ascii=False)
        return self.on_a_mac(f"echo {document.encode().hex()}")

    def test_without_an_entry_the_file_counts(self):
        self.claude_cli.log_in(SECRET)
        assert found(self.empty()).secret.reveal() == SECRET

    def test_a_locked_keychain_leaves_the_file(self):
        self.claude_cli.log_in(SECRET)
        assert found(self.on_a_mac("exit 36")).secret.reveal() == SECRET

    def test_a_locked_keychain_without_a_file_says_what_to_do(self):
        finding = self.on_a_mac("exit 36").look()
        assert finding.state == "cannot look"
        assert "unlock-keychain" in (finding.hint or "")

    def test_a_keychain_that_fails_is_reported(self):
        assert "exit code 51" in self.on_a_mac("exit 51").look().detail

    def test_an_entry_with_only_other_tokens_leaves_the_file(self):
        self.claude_cli.log_in(SECRET)
        assert found(self.on_a_mac("""echo '{"mcpOAuth":{}}'""")).secret.reveal() == SECRET

    def test_of_two_logins_the_one_that_lasts_longer_is_in_use(self):
        self.claude_cli.log_in("in-the-file", expiresAt=LATER)
        assert found(self.holding("in-the-keychain")).secret.reveal() == "in-the-file"
        self.claude_cli.log_in("in-the-file", expiresAt=LATER - 2)
        assert found(self.holding("in-the-keychain")).secret.reveal() == "in-the-keychain"


def look(claude_cli):
    return StoredLogin(claude_cli.paths).look()


def test_a_login_is_known_in_full(claude_cli):
    claude_cli.log_in(SECRET, expiresAt=LATER)
    credential = found(StoredLogin(claude_cli.paths))
    assert credential.kind == "oauth"
    assert credential.stored_login
    assert not credential.follows_base_url
    assert credential.expires_at == LATER / 1000
    assert credential.scopes == ("user:inference", "user:profile")
    assert credential.subscription == "max"


def test_looking_leaves_the_store_as_it_is(claude_cli):
    claude_cli.log_in(SECRET)
    file = claude_cli.paths.login_file
    before = (file.read_bytes(), file.stat().st_mtime_ns, file.stat().st_ctime_ns, sorted(file.parent.iterdir()))
    look(claude_cli)
    assert (
        file.read_bytes(),
        file.stat().st_mtime_ns,
        file.stat().st_ctime_ns,
        sorted(file.parent.iterdir()),
    ) == before


def test_a_linked_store_is_followed(claude_cli, tmp_path):
    claude_cli.log_in(SECRET)
    elsewhere = claude_cli.paths.login_file.rename(tmp_path / "elsewhere.json")
    claude_cli.paths.login_file.symlink_to(elsewhere)
    assert look(claude_cli).state == "found"


def test_a_setup_token_in_the_store_never_expires(claude_cli):
    claude_cli.log_in(SECRET, refreshToken=None, expiresAt=None, scopes=["user:inference"], subscriptionType=None)
    credential = found(StoredLogin(claude_cli.paths))
    assert credential.expires_at is None
    assert credential.subscription is None


def test_blank_tokens_are_an_ended_login(claude_cli):
    claude_cli.log_in("", refreshToken="", expiresAt=0, loginEnded="time_limit")
    finding = look(claude_cli)
    assert finding.state == "unusable"
    assert "ended" in finding.detail
    assert "claude auth login" in (finding.hint or "")


@pytest.mark.parametrize("text", ["{", "", "\x00", "[" * 100_000, '{"claudeAiOauth":{"accessToken":"sk-ant-oat01-cut'])
def test_a_damaged_store_is_unusable_and_not_quoted(claude_cli, text):
    claude_cli.write_text(text)
    finding = look(claude_cli)
    assert finding.state == "unusable"
    assert "JSON" in finding.detail
    assert "sk-ant" not in f"{finding}"


def test_a_store_that_is_not_text_is_unusable(claude_cli):
    claude_cli.write_text("{}")
    claude_cli.paths.login_file.write_bytes(b"\xff\xfe{}")
    assert look(claude_cli).state == "unusable"


@pytest.mark.parametrize(
    "document", [{"mcpOAuth": {"x": {"accessToken": "y"}}}, {}, [], "text", {"claudeAiOauth": None}]
)
def test_a_store_without_a_login_is_not_a_login(claude_cli, document):
    claude_cli.write(document)
    assert look(claude_cli).state == "not here"


@pytest.mark.parametrize("login", ["text", [], {}, {"accessToken": 7}, {"accessToken": None}])
def test_a_login_in_another_form_is_unusable(claude_cli, login):
    claude_cli.write({"claudeAiOauth": login})
    assert look(claude_cli).state == "unusable"


def test_a_login_without_the_right_permission_is_unusable(claude_cli):
    claude_cli.log_in(SECRET, scopes=["user:profile"])
    finding = look(claude_cli)
    assert finding.state == "unusable"
    assert "user:inference" in finding.detail


@pytest.mark.parametrize("scopes", [None, [], 7, {"user:inference": True}, [7, None]])
def test_unknown_permissions_are_left_to_upstream(claude_cli, scopes):
    claude_cli.log_in(SECRET, scopes=scopes)
    assert found(StoredLogin(claude_cli.paths)).scopes == ()


def test_permissions_in_one_text_are_taken_apart(claude_cli):
    claude_cli.log_in(SECRET, scopes="user:inference user:profile")
    assert found(StoredLogin(claude_cli.paths)).scopes == ("user:inference", "user:profile")


def test_a_directory_in_place_of_the_store_cannot_be_read(claude_cli):
    claude_cli.paths.login_file.mkdir(parents=True)
    assert look(claude_cli).state == "cannot look"


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (1795338581017, 1795338581.017),
        (1795338581, 1795338581.0),
        ("1795338581017", 1795338581.017),
        (1795338581.5, 1795338581.5),
        *[(unknown, None) for unknown in UNKNOWN],
    ],
)
def test_an_expiry_is_understood_in_any_unit_or_unknown(value, seconds):
    assert epoch_seconds(value) == seconds


def test_what_a_keychain_answers_is_asked_again_after_a_while_and_a_file_only_when_it_changes(claude_cli):
    claude_cli.log_in(SECRET)

    def files() -> list[KeyringBackend]:
        return [ClaudeCliFileKeyring(claude_cli.paths)]

    assert StoredLogin(claude_cli.paths, files, platform="darwin").look().ttl == KEYCHAIN_TTL
    assert StoredLogin(claude_cli.paths, files, platform="linux").look().ttl is None


def test_a_login_that_other_users_can_read_comes_with_a_hint(claude_cli):
    claude_cli.log_in(SECRET)
    assert look(claude_cli).hint is None
    claude_cli.paths.login_file.chmod(0o644)
    finding = look(claude_cli)
    assert finding.credential
    assert "chmod 600" in (finding.hint or "")


def test_a_relative_directory_is_not_looked_into(home, tmp_path, monkeypatch):
    ClaudeCliStore(home, {"CLAUDE_CONFIG_DIR": f"{tmp_path}/.claude"}).log_in(SECRET)
    monkeypatch.chdir(tmp_path)
    finding = look(ClaudeCliStore(home, {"CLAUDE_CONFIG_DIR": ".claude"}))
    assert finding.state == "unusable"
    assert "CLAUDE_CONFIG_DIR is a relative path (.claude)" in finding.detail


def test_scopes_that_are_not_visible_ascii_are_left_out(claude_cli):
    claude_cli.log_in(SECRET, scopes=["user:inference", "\x1b[2J"])
    assert found(StoredLogin(claude_cli.paths)).scopes == ("user:inference",)


def test_without_its_owners_program_it_is_not_renewed(claude_cli):
    claude_cli.log_in(SECRET)
    source = StoredLogin(claude_cli.paths)
    assert not source.can_renew(found(source))
    assert source.renew(found(source)) == "it cannot be renewed"
