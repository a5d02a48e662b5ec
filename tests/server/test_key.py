import os
import stat
from pathlib import Path

import pytest

from claude_proxy.errors import ConfigError
from claude_proxy.server.key import read_key


def test_without_a_file_there_is_no_key() -> None:
    assert read_key("") is None


def test_a_key_is_made_once_for_this_user_alone(tmp_path: Path) -> None:
    file = tmp_path / "deep" / "key"
    made = read_key(str(file))
    assert made is not None
    assert len(made) == 43
    assert read_key(str(file)) == made
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700


def test_no_directory_that_is_made_for_it_is_open_to_others(tmp_path: Path) -> None:
    before = os.umask(0)
    read_key(str(tmp_path / "a" / "b" / "key"))
    os.umask(before)
    assert [stat.S_IMODE((tmp_path / each).stat().st_mode) for each in ("a", "a/b")] == [0o700, 0o700]


def test_a_key_of_the_users_own_is_taken_without_the_line_end(home: Path) -> None:
    file = home / "key"
    file.write_text("  a-key-of-the-users-own\n")
    file.chmod(0o600)
    assert read_key("~/key") == b"a-key-of-the-users-own"


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o602, 0o660])
def test_a_file_that_others_can_use_is_refused(tmp_path: Path, mode: int) -> None:
    file = tmp_path / "key"
    file.write_text("a-key-of-the-users-own")
    file.chmod(mode)
    with pytest.raises(ConfigError, match="others can read or change"):
        read_key(str(file))


@pytest.mark.parametrize("text", ["", "\n", "short"])
def test_a_key_that_is_too_short_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "key"
    file.write_text(text)
    file.chmod(0o600)
    with pytest.raises(ConfigError, match="shorter than 16"):
        read_key(str(file))


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.write_text("a-key-of-somebody-else")
    target.chmod(0o600)
    (tmp_path / "key").symlink_to(target)
    with pytest.raises(ConfigError, match="cannot be used"):
        read_key(str(tmp_path / "key"))


def test_what_is_no_file_is_no_key(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe, 0o600)  # opened the usual way, it would wait for somebody who writes
    for path in (tmp_path, pipe):
        with pytest.raises(ConfigError, match="cannot be used"):
            read_key(str(path))
