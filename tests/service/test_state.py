import os
from pathlib import Path

import pytest

from claude_proxy.errors import ServiceError
from claude_proxy.service.state import make_state_directory


def test_a_missing_directory_is_made_for_this_user_alone(tmp_path: Path):
    before = os.umask(0)
    make_state_directory(tmp_path / "a" / "b" / "file")
    os.umask(before)
    assert [(tmp_path / place).stat().st_mode & 0o777 for place in ("a", "a/b")] == [0o700, 0o700]


def test_a_directory_that_others_can_write_to_is_refused(tmp_path: Path):
    (tmp_path / "state").mkdir()
    (tmp_path / "state").chmod(0o777)
    with pytest.raises(ServiceError, match=f"other users can change {tmp_path}/state"):
        make_state_directory(tmp_path / "state" / "file")


def test_a_directory_that_cannot_be_made_is_explained(tmp_path: Path):
    (tmp_path / "file").touch()
    with pytest.raises(ServiceError, match=r"cannot write .*/file/below: Not a directory") as caught:
        make_state_directory(tmp_path / "file" / "below")
    assert "XDG_STATE_HOME" in (caught.value.hint or "")
