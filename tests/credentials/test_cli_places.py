import hashlib
import os
from pathlib import Path

from claude_proxy.credentials.cli_places import cli_places, stamp_of

HOME = Path("/home/somebody")


def test_without_variables_everything_lies_in_the_home():
    places = cli_places({"USER": "somebody"}, HOME)
    assert places.login_file == HOME / ".claude/.credentials.json"
    assert places.settings_file == HOME / ".claude/settings.json"
    assert places.state_files == (HOME / ".claude/.config.json", HOME / ".claude.json")
    assert (places.login_service, places.key_service) == ("Claude Code-credentials", "Claude Code")
    assert places.account == "somebody"


def test_a_custom_directory_moves_everything_and_has_entries_of_its_own():
    places = cli_places({"USER": "somebody", "CLAUDE_CONFIG_DIR": "/srv/claude"}, HOME)
    suffix = hashlib.sha256(b"/srv/claude").hexdigest()[:8]
    assert places.login_file == Path("/srv/claude/.credentials.json")
    assert places.state_file == Path("/srv/claude/.claude.json")
    assert places.login_service == f"Claude Code-credentials-{suffix}"
    assert places.key_service == f"Claude Code-{suffix}"


def test_the_suffix_is_made_from_the_composed_form_of_the_directory():
    composed = cli_places({"CLAUDE_CONFIG_DIR": "/srv/caf\N{LATIN SMALL LETTER E WITH ACUTE}"}, HOME)
    decomposed = cli_places({"CLAUDE_CONFIG_DIR": "/srv/cafe\N{COMBINING ACUTE ACCENT}"}, HOME)
    assert composed.suffix == decomposed.suffix != ""


def test_the_secure_storage_variable_moves_only_the_store():
    places = cli_places({"CLAUDE_CONFIG_DIR": "/srv/claude", "CLAUDE_SECURESTORAGE_CONFIG_DIR": "/srv/safe"}, HOME)
    assert places.login_file == Path("/srv/safe/.credentials.json")
    assert places.settings_file == Path("/srv/claude/settings.json")
    assert places.suffix == f"-{hashlib.sha256(b'/srv/safe').hexdigest()[:8]}"


def test_an_empty_secure_storage_variable_means_the_default_store():
    places = cli_places({"CLAUDE_CONFIG_DIR": "/srv/claude", "CLAUDE_SECURESTORAGE_CONFIG_DIR": ""}, HOME)
    assert places.login_file == HOME / ".claude/.credentials.json"
    assert places.suffix == ""


def test_a_strange_user_name_becomes_the_clis_own():
    assert cli_places({"USER": "so me; body"}, HOME).account == "claude-code-user"


def test_without_user_the_systems_name_counts(monkeypatch):
    monkeypatch.setattr(os, "getuid", lambda: 0)
    assert cli_places({}, HOME).account == "root"


def test_a_user_without_a_name_becomes_the_clis_own(monkeypatch):
    monkeypatch.setattr(os, "getuid", lambda: 987654)
    assert cli_places({}, HOME).account == "claude-code-user"


def test_a_stamp_sees_a_file_come_change_be_replaced_and_go(tmp_path):
    file, other = tmp_path / "file", tmp_path / "other"
    stamps = [stamp_of(file)]
    file.write_text("one")
    stamps.append(stamp_of(file))
    file.write_text("longer")
    stamps.append(stamp_of(file))
    other.write_text("longer")
    other.replace(file)
    stamps.append(stamp_of(file))
    file.unlink()
    assert len(set(stamps)) == 4
    assert stamp_of(file) == stamps[0]


def test_a_stamp_follows_a_link(tmp_path):
    target, link = tmp_path / "target", tmp_path / "link"
    target.write_text("one")
    link.symlink_to(target)
    before = stamp_of(link)
    target.write_text("changed")
    assert stamp_of(link) != before
