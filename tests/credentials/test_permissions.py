import os

import pytest

from claude_proxy.credentials.permissions import exposure_hint


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o620, 0o602])
def test_a_file_that_other_users_can_use_has_a_hint(tmp_path, mode):
    file = tmp_path / "a file"
    file.touch()
    file.chmod(mode)
    assert exposure_hint(file) == f"other users can use {file} (mode {mode:04o}): run `chmod 600 '{file}'`"


@pytest.mark.parametrize("mode", [0o600, 0o400])
def test_a_private_file_has_none(tmp_path, mode):
    file = tmp_path / "file"
    file.touch()
    file.chmod(mode)
    assert exposure_hint(file) is None


def test_a_file_that_is_not_there_has_none(tmp_path):
    assert exposure_hint(tmp_path / "absent") is None


def test_where_modes_say_nothing_there_is_none(tmp_path, monkeypatch):
    file = tmp_path / "file"
    file.touch()
    file.chmod(0o644)
    monkeypatch.setattr(os, "name", "nt")
    assert exposure_hint(file) is None
