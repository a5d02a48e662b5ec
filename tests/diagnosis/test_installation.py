import os

from claude_proxy import __version__
from claude_proxy.config import load
from claude_proxy.diagnosis import installation
from claude_proxy.paths import paths
from tests.cli.test_transcripts import free_port


def test_versions_name_this_program_and_python() -> None:
    detail = installation.check_versions().detail
    assert f"claude-proxy {__version__}" in detail
    assert "Python" in detail


def test_settings_say_where_each_comes_from() -> None:
    check = installation.check_settings(load({"port": "1234"}, {"CLAUDE_PROXY_HOST": "::1"}), paths())
    assert "port by flag" in check.detail
    assert "host by environment" in check.detail


def test_a_log_that_others_can_read_is_a_failed_check() -> None:
    file = paths().log_file
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    file.write_text("")
    file.chmod(0o644)
    check = installation.check_files(paths())
    assert (check.state, check.hint) == ("failed", f"chmod 600 {file}")


def test_a_daemon_that_does_not_run_is_no_failure() -> None:
    check = installation.check_daemon(load({"port": free_port()}, {}), os.environ, paths())
    assert check.state == "note"
    assert "not running" in check.detail
