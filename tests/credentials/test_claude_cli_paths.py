import hashlib
import os
import pwd
from pathlib import Path

import pytest

from claude_proxy.credentials.claude_cli_paths import claude_cli_paths, home_directory

HOME = Path("/home/somebody")


def test_without_variables_everything_lies_in_the_home():
    paths = claude_cli_paths({"USER": "somebody"}, HOME)
    assert paths.login_file == HOME / ".claude/.credentials.json"
    assert paths.settings_file == HOME / ".claude/settings.json"
    assert paths.state_files == (HOME / ".claude/.config.json", HOME / ".claude.json")
    assert (paths.login_service, paths.key_service) == ("Claude Code-credentials", "Claude Code")
    assert paths.account == "somebody"


def test_a_custom_directory_moves_everything_and_has_entries_of_its_own():
    paths = claude_cli_paths({"USER": "somebody", "CLAUDE_CONFIG_DIR": "/srv/claude"}, HOME)
    suffix = hashlib.sha256(b"/srv/claude").hexdigest()[:8]
    assert paths.login_file == Path("/srv/claude/.credentials.json")
    assert paths.state_file == Path("/srv/claude/.claude.json")
    assert paths.login_service == f"Claude Code-credentials-{suffix}"
    assert paths.key_service == f"Claude Code-{suffix}"


def test_the_suffix_is_made_from_the_composed_form_of_the_directory():
    composed = claude_cli_paths({"CLAUDE_CONFIG_DIR": "/srv/caf\N{LATIN SMALL LETTER E WITH ACUTE}"}, HOME)
    decomposed = claude_cli_paths({"CLAUDE_CONFIG_DIR": "/srv/cafe\N{COMBINING ACUTE ACCENT}"}, HOME)
    assert composed.suffix == decomposed.suffix != ""


def test_the_secure_storage_variable_moves_only_the_store():
    paths = claude_cli_paths({"CLAUDE_CONFIG_DIR": "/srv/claude", "CLAUDE_SECURESTORAGE_CONFIG_DIR": "/srv/safe"}, HOME)
    assert paths.login_file == Path("/srv/safe/.credentials.json")
    assert paths.settings_file == Path("/srv/claude/settings.json")
    assert paths.suffix == f"-{hashlib.sha256(b'/srv/safe').hexdigest()[:8]}"


def test_an_empty_secure_storage_variable_means_the_default_store():
    paths = claude_cli_paths({"CLAUDE_CONFIG_DIR": "/srv/claude", "CLAUDE_SECURESTORAGE_CONFIG_DIR": ""}, HOME)
    assert paths.login_file == HOME / ".claude/.credentials.json"
    assert paths.suffix == ""


def test_a_strange_user_name_becomes_the_clis_own():
    assert claude_cli_paths({"USER": "so me; body"}, HOME).account == "claude-code-user"


def test_without_user_the_systems_name_counts(monkeypatch):
    monkeypatch.setattr(os, "getuid", lambda: 0)
    assert claude_cli_paths({}, HOME).account == "root"


def test_a_user_without_a_name_becomes_the_clis_own(monkeypatch):
    monkeypatch.setattr(os, "getuid", lambda: 987654)
    assert claude_cli_paths({}, HOME).account == "claude-code-user"


@pytest.mark.parametrize("name", ["CLAUDE_CONFIG_DIR", "CLAUDE_SECURESTORAGE_CONFIG_DIR"])
@pytest.mark.parametrize("directory", [".claude", "../x", "~/claude"])
def test_a_relative_directory_is_a_problem(name, directory):
    problem = claude_cli_paths({name: directory}, HOME).problem
    assert problem == f"{name} is a relative path ({directory}), and only absolute paths are read"


def test_absolute_and_empty_directories_are_no_problem():
    assert claude_cli_paths({}, HOME).problem is None
    assert claude_cli_paths({"CLAUDE_CONFIG_DIR": "/x", "CLAUDE_SECURESTORAGE_CONFIG_DIR": ""}, HOME).problem is None


def test_the_home_directory_is_home_or_the_accounts_own():
    assert home_directory({"HOME": "/home/somebody"}) == HOME
    own = Path(pwd.getpwuid(os.getuid()).pw_dir)
    assert home_directory({}) == home_directory({"HOME": "."}) == own


def test_an_account_without_an_entry_has_the_home_that_python_finds(monkeypatch):
    monkeypatch.setattr(os, "getuid", lambda: 987654)
    assert home_directory({}) == Path.home()
