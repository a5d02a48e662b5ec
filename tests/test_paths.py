import os
from pathlib import Path

import platformdirs
import pytest

import claude_proxy.paths
from claude_proxy.errors import ConfigError
from claude_proxy.paths import paths


def test_our_files_stay_below_the_user_s_own_directories(home: Path):
    places = paths()
    assert places.config_file == home / ".config" / "claude-proxy" / "config.toml"
    assert places.state == home / ".local" / "state" / "claude-proxy"
    assert {file.parent for file in (places.log_file, places.pid_file, places.lock_file, places.command_lock_file)} == {
        places.state
    }
    assert places.store_file == home / ".local" / "share" / "claude-proxy" / "claude-proxy.sqlite3"
    assert not places.state.exists()
    assert not places.data.exists()


def test_a_state_directory_that_cannot_be_made_gives_way_to_the_session_s(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    (home / "file").touch()
    monkeypatch.setenv("XDG_STATE_HOME", str(home / "file"))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    assert paths().state == tmp_path / "claude-proxy"
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "gone"))
    assert paths().state == home / "file" / "claude-proxy"


def test_a_data_directory_that_cannot_be_made_gives_way_to_the_session_s(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    (home / "file").touch()
    monkeypatch.setenv("XDG_DATA_HOME", str(home / "file"))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    assert paths().data == tmp_path / "claude-proxy"


def test_without_a_home_that_is_said(monkeypatch: pytest.MonkeyPatch):
    def nobody(_: object) -> str:
        raise RuntimeError

    monkeypatch.setattr(type(platformdirs.PlatformDirs()), "user_config_dir", property(nobody))
    with pytest.raises(ConfigError, match="no home directory"):
        paths()


def test_a_system_without_user_numbers_has_a_session_of_none(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delattr(os, "getuid")
    assert claude_proxy.paths._uid() == 0
