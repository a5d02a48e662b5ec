import json

import pytest

from claude_proxy.credentials.profile import COMMAND, Profile, profile_paths
from tests.credentials.contract import SECRET, SourceContract, found

LATER = 4_000_000_000


class Profiles:
    """Anthropic's directory of profiles in a temporary home."""

    def __init__(self, home, environ=None):
        self.home, self.environ = home, {"HOME": str(home), "PATH": f"{home}/bin", **(environ or {})}

    def write(self, way="user_oauth", name="default", **fields):
        paths = profile_paths(self.environ | {"ANTHROPIC_PROFILE": name}, self.home)
        paths.config.parent.mkdir(parents=True, exist_ok=True)
        document = {"version": "1.0", "organization_id": "org", "authentication": {"type": way, "client_id": "x"}}
        paths.config.write_text(json.dumps(document | fields))

    def keep(self, token, name="default", expires_at=LATER, scope="user:inference user:profile"):
        paths = profile_paths(self.environ | {"ANTHROPIC_PROFILE": name}, self.home)
        paths.credentials.parent.mkdir(parents=True, exist_ok=True)
        document = {"type": "oauth_token", "access_token": token, "expires_at": expires_at, "scope": scope}
        paths.credentials.write_text(json.dumps(document))
        return paths.credentials

    def source(self, way="user_oauth"):
        return Profile(way, self.environ, self.home)


@pytest.fixture
def profiles(home):
    return Profiles(home)


class TestAPersonsProfile(SourceContract):
    @pytest.fixture(autouse=True)
    def _profiles(self, profiles):
        self.profiles = profiles

    def empty(self):
        return self.profiles.source()

    def holding(self, secret: str):
        self.profiles.write()
        self.profiles.keep(secret)
        return self.profiles.source()


class TestAWorkloadsProfile(SourceContract):
    @pytest.fixture(autouse=True)
    def _profiles(self, profiles, executable):
        self.profiles, self.executable = profiles, executable

    def empty(self):
        return self.profiles.source("oidc_federation")

    def holding(self, secret: str):
        self.profiles.write("oidc_federation")
        (self.profiles.home / "printed").write_bytes(secret.encode())
        self.executable("ant", "#!/bin/sh\n/bin/cat ~/printed\n", self.profiles.home / "bin")
        return self.profiles.source("oidc_federation")

    def test_a_stored_token_is_used_as_it_is(self):
        self.profiles.write("oidc_federation", workspace_id="wrkspc_1")
        self.profiles.keep(SECRET)
        credential = found(self.profiles.source("oidc_federation"))
        assert credential.secret.reveal() == SECRET
        assert credential.workspace is None

    def test_a_printed_token_is_asked_for_anew_after_a_while(self):
        finding = self.holding(SECRET).look()
        assert finding.ttl == 120

    @pytest.mark.parametrize("text", ["exit 1", "true", "echo two words", f"echo {SECRET}; exit 2"])
    def test_a_program_that_prints_no_token_is_reported(self, text):
        self.holding(SECRET)
        self.executable("ant", f"#!/bin/sh\n{text}\n", self.profiles.home / "bin")
        finding = self.profiles.source("oidc_federation").look()
        assert finding.state == "unusable"
        assert finding.ttl == 60  # else the failure would stand until a file changes
        assert SECRET not in f"{finding}"

    def test_without_its_program_there_is_no_token(self):
        self.profiles.write("oidc_federation")
        assert "`ant`" in self.profiles.source("oidc_federation").look().detail

    def test_a_program_that_cannot_run_is_reported(self):
        self.holding(SECRET)
        (self.profiles.home / "bin/ant").write_bytes(b"\x7fELF no program")
        assert "could not be used" in self.profiles.source("oidc_federation").look().detail

    def test_a_program_that_never_ends_is_given_up(self, monkeypatch):
        monkeypatch.setattr("claude_proxy.credentials.profile._ANT_TIMEOUT", 0.1)
        self.holding(SECRET)
        self.executable("ant", "#!/bin/sh\nexec /bin/sleep 300\n", self.profiles.home / "bin")
        assert "did not finish" in self.profiles.source("oidc_federation").look().detail


def test_a_profile_is_known_in_full(profiles):
    profiles.write(workspace_id="wrkspc_1")
    profiles.keep(SECRET)
    credential = found(profiles.source())
    assert credential.kind == "oauth"
    assert credential.expires_at == LATER
    assert credential.scopes == ("user:inference", "user:profile")
    assert credential.workspace == "wrkspc_1"
    assert credential.stored_login


def test_a_workspace_that_would_break_a_header_is_left_out(profiles):
    profiles.write(workspace_id="a\r\nx-evil: 1")
    profiles.keep(SECRET)
    assert found(profiles.source()).workspace is None


def test_a_profile_answers_only_as_what_it_is(profiles):
    profiles.write("user_oauth")
    profiles.keep(SECRET)
    assert profiles.source("oidc_federation").look().state == "not here"


def test_the_active_profile_is_named_by_a_variable_or_a_file(home):
    profiles = Profiles(home)
    for name in ("default", "work", "home"):
        profiles.write(name=name)
        profiles.keep(f"token-of-{name}", name=name)
    assert found(profiles.source()).secret.reveal() == "token-of-default"
    before = profiles.source().fingerprint()
    (home / ".config/anthropic/active_config").write_text("work\n")
    assert profiles.source().fingerprint() != before
    assert found(profiles.source()).secret.reveal() == "token-of-work"
    assert found(Profiles(home, {"ANTHROPIC_PROFILE": "home"}).source()).secret.reveal() == "token-of-home"


def test_another_directory_can_be_named(home, tmp_path):
    profiles = Profiles(home, {"ANTHROPIC_CONFIG_DIR": str(tmp_path)})
    profiles.write()
    profiles.keep(SECRET)
    assert (tmp_path / "configs/default.json").exists()
    assert found(profiles.source()).secret.reveal() == SECRET


@pytest.mark.parametrize("name", ["../../etc/passwd", ".hidden", "a/b", "a\\b", " padded"])
def test_a_profiles_name_does_not_lead_elsewhere(home, name):
    finding = Profiles(home, {"ANTHROPIC_PROFILE": name}).source().look()
    assert finding.state == "unusable"
    assert "name" in finding.detail


@pytest.mark.parametrize("token", [None, "", 7])
def test_a_profile_without_a_token_is_unusable(profiles, token):
    profiles.write()
    profiles.keep(token)
    finding = profiles.source().look()
    assert finding.state == "unusable"
    assert "ant auth login" in (finding.hint or "")


def test_a_profile_that_was_never_logged_in_is_unusable(profiles):
    profiles.write()
    assert profiles.source().look().state == "unusable"


def test_a_damaged_profile_is_unusable(profiles):
    profiles.write()
    profiles.keep(SECRET).write_text('{"access_token": "sk-ant-oat01-cut')
    finding = profiles.source().look()
    assert finding.state == "unusable"
    assert "sk-ant" not in f"{finding}"


def test_a_profile_of_another_form_is_of_another_type(profiles):
    profiles.write()
    profile_paths(profiles.environ, profiles.home).config.write_text("[]")
    assert profiles.source().look().state == "not here"


def test_an_unreadable_profile_cannot_be_looked_into(profiles):
    profile_paths(profiles.environ, profiles.home).config.mkdir(parents=True)
    assert profiles.source().look().state == "cannot look"


def test_an_expiring_profile_is_renewed_by_its_own_program(profiles, executable):
    profiles.write()
    file = profiles.keep("old", expires_at=1)
    profiles.environ["ANTHROPIC_PROFILE"] = "default"
    profiles.environ["ANTHROPIC_API_KEY"] = "not for others"
    renewed = json.dumps({"access_token": "new", "expires_at": LATER})
    executable(
        "ant",
        f"#!/bin/sh\necho \"$@ $ANTHROPIC_PROFILE $ANTHROPIC_API_KEY\" > ~/asked\necho '{renewed}' > {file}\n",
        profiles.home / "bin",
    )
    source = profiles.source()
    old = found(source)
    assert source.can_renew(old)
    assert source.renew(old) is None
    assert found(source).secret.reveal() == "new"
    assert (profiles.home / "asked").read_text().strip() == f"{' '.join(COMMAND[1:])} default"


def test_a_token_without_an_expiry_is_not_renewed(profiles):
    profiles.write()
    profiles.keep(SECRET, expires_at=None)
    source = profiles.source()
    assert not source.can_renew(found(source))


def test_a_relative_directory_is_not_looked_into(home, tmp_path, monkeypatch):
    Profiles(home, {"ANTHROPIC_CONFIG_DIR": f"{tmp_path}/relative"}).write()
    monkeypatch.chdir(tmp_path)
    finding = Profiles(home, {"ANTHROPIC_CONFIG_DIR": "relative"}).source().look()
    assert finding.state == "unusable"
    assert "ANTHROPIC_CONFIG_DIR is a relative path" in finding.detail


def test_a_token_that_other_users_can_read_comes_with_a_hint(profiles):
    profiles.write()
    file = profiles.keep(SECRET)
    file.chmod(0o600)
    assert profiles.source().look().hint is None
    file.chmod(0o644)
    assert "chmod 600" in (profiles.source().look().hint or "")
