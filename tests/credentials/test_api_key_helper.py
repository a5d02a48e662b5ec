import json

import pytest

from claude_proxy.credentials.api_key_helper import TTL_VARIABLE, ApiKeyHelper
from claude_proxy.credentials.claude_cli_paths import claude_cli_paths
from tests.credentials.contract import SECRET, SourceContract, found


def helper(claude_cli, command: object, **options):
    claude_cli.paths.settings_file.parent.mkdir(exist_ok=True)
    claude_cli.paths.settings_file.write_text(json.dumps({"model": "opus", "apiKeyHelper": command}))
    return ApiKeyHelper(claude_cli.paths, claude_cli.environ | options.pop("environ", {}), claude_cli.home, **options)


class TestApiKeyHelper(SourceContract):
    @pytest.fixture(autouse=True)
    def _cli(self, claude_cli, tmp_path):
        self.claude_cli, self.printed = claude_cli, tmp_path / "printed"

    def empty(self):
        return ApiKeyHelper(self.claude_cli.paths, self.claude_cli.environ, self.claude_cli.home)

    def holding(self, secret: str):
        self.printed.write_bytes(f"{secret}\n".encode())
        return helper(self.claude_cli, f"cat {self.printed}")


def test_the_command_is_run_by_a_shell_with_the_users_environment(claude_cli):
    source = helper(claude_cli, 'printf "key-%s" "$WHO" | tr a-z A-Z', environ={"WHO": "me"})
    assert found(source).secret.reveal() == "KEY-ME"


def test_what_it_prints_is_a_key_and_no_login(claude_cli):
    credential = found(helper(claude_cli, f"echo {SECRET}"))
    assert credential.kind == "api_key"
    assert not credential.stored_login


@pytest.mark.parametrize(
    ("given", "seconds"), [(None, 300), ("1500", 1.5), ("0", 0), ("soon", 300), ("-1", 300), ("9" * 5000, 300)]
)
def test_the_answer_lasts_five_minutes_or_as_long_as_the_users_variable_says(claude_cli, given, seconds):
    environ = {} if given is None else {TTL_VARIABLE: given}
    assert helper(claude_cli, "echo key", environ=environ).look().ttl == seconds


@pytest.mark.parametrize("command", [f"echo {SECRET}; exit 3", "true", "echo two words", f"echo {SECRET} >&2"])
def test_a_command_that_fails_is_not_passed_over(claude_cli, command):
    finding = helper(claude_cli, command).look()
    assert finding.state == "unusable"
    assert finding.stops
    assert SECRET not in f"{finding}"


def test_a_command_that_failed_is_tried_again_soon(claude_cli):
    assert helper(claude_cli, "false").look().ttl == 10


def test_a_command_that_never_ends_is_ended_with_all_it_started(claude_cli, tmp_path):
    source = helper(claude_cli, f"echo $$ > {tmp_path}/pid; echo {SECRET}; sleep 300 & wait", timeout=0.3)
    finding = source.look()
    assert "did not finish" in finding.detail
    assert SECRET not in f"{finding}"


@pytest.mark.parametrize("command", ["echo key\x00", "echo \ud800", "\x00"])
def test_a_command_that_no_program_can_be_given_is_reported(claude_cli, command):
    finding = helper(claude_cli, command).look()
    assert finding.state == "unusable"
    assert "holds a character" in finding.detail


def test_a_command_that_prints_without_end_is_ended(claude_cli):
    finding = helper(claude_cli, "yes sk-ant-api03-AAAAAAAA").look()
    assert finding.state == "unusable"
    assert "printed more than" in finding.detail


def test_a_command_that_cannot_be_run_is_reported(claude_cli):
    claude_cli.home.joinpath("elsewhere").mkdir()
    source = helper(claude_cli, "echo key")
    source._home = claude_cli.home / "gone"
    assert "could not be used: No such file" in source.look().detail


@pytest.mark.parametrize("command", [None, "", "  ", 7, ["echo"]])
def test_settings_without_a_command_have_none(claude_cli, command):
    assert helper(claude_cli, command).look().state == "not here"


def test_settings_of_another_form_have_none(claude_cli):
    source = helper(claude_cli, "echo key")
    claude_cli.paths.settings_file.write_text("[]")
    assert source.look().state == "not here"


def test_damaged_settings_cannot_be_looked_into(claude_cli):
    source = helper(claude_cli, "echo key")
    claude_cli.paths.settings_file.write_text("{")
    assert source.look().state == "cannot look"


def test_unreadable_settings_cannot_be_looked_into(claude_cli):
    claude_cli.paths.settings_file.mkdir(parents=True)
    assert ApiKeyHelper(claude_cli.paths, claude_cli.environ, claude_cli.home).look().state == "cannot look"


def test_a_project_cannot_bring_a_command(claude_cli, tmp_path, monkeypatch):
    (tmp_path / ".claude").mkdir()
    (tmp_path / ".claude/settings.json").write_text('{"apiKeyHelper": "echo key"}')
    monkeypatch.chdir(tmp_path)
    assert ApiKeyHelper(claude_cli.paths, claude_cli.environ, claude_cli.home).look().state == "not here"


def test_a_relative_directory_cannot_bring_a_command(home, tmp_path, monkeypatch):
    (tmp_path / ".claude").mkdir()
    (tmp_path / ".claude/settings.json").write_text(json.dumps({"apiKeyHelper": f"touch {tmp_path}/ran; echo key"}))
    monkeypatch.chdir(tmp_path)
    environ = {"CLAUDE_CONFIG_DIR": ".claude"}
    finding = ApiKeyHelper(claude_cli_paths(environ, home), environ, home).look()
    assert finding.state == "unusable"
    assert "relative" in finding.detail
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("mode", [0o602, 0o646])
def test_a_command_that_other_users_could_replace_is_not_run(claude_cli, tmp_path, mode):
    source = helper(claude_cli, f"touch {tmp_path}/ran; echo key")
    claude_cli.paths.settings_file.chmod(mode)
    finding = source.look()
    assert finding.state == "unusable"
    assert finding.stops
    assert "other users can change" in finding.detail
    assert not (tmp_path / "ran").exists()


def test_settings_that_other_users_can_change_do_no_harm_without_a_command(claude_cli):
    source = helper(claude_cli, None)
    claude_cli.paths.settings_file.chmod(0o666)
    assert source.look().state == "not here"
