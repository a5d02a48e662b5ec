import grp
import os
import pwd
import stat
from pathlib import Path
from types import SimpleNamespace

import pytest

from claude_proxy import files


@pytest.fixture
def _no_umask():
    before = os.umask(0)
    yield
    os.umask(before)


@pytest.mark.usefixtures("_no_umask")
def test_each_directory_that_is_made_is_for_this_user_alone(tmp_path: Path):
    files.make_directory(tmp_path / "a" / "b" / "c")
    modes = [(tmp_path / place).stat().st_mode & 0o777 for place in ("a", "a/b", "a/b/c")]
    assert modes == [0o700] * 3
    files.make_directory(tmp_path / "a" / "b")


def test_a_file_in_place_of_a_directory_is_an_error(tmp_path: Path):
    (tmp_path / "file").touch()
    for place in ("file", "file/below"):
        with pytest.raises(NotADirectoryError):
            files.make_directory(tmp_path / place)
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    with pytest.raises(NotADirectoryError):
        files.make_directory(tmp_path / "link")


@pytest.mark.usefixtures("_no_umask")
def test_a_written_file_is_for_this_user_alone_and_replaces_a_link(tmp_path: Path):
    (tmp_path / "precious").write_text("mine")
    (tmp_path / "file").symlink_to(tmp_path / "precious")
    files.write(tmp_path / "file", "text")
    assert (tmp_path / "file").read_text() == "text"
    assert (tmp_path / "file").lstat().st_mode & 0o777 == 0o600
    assert (tmp_path / "precious").read_text() == "mine"
    assert {path.name for path in tmp_path.iterdir()} == {"file", "precious"}


def test_a_file_that_cannot_be_written_leaves_nothing_behind(tmp_path: Path):
    (tmp_path / "file").mkdir()
    with pytest.raises(IsADirectoryError):
        files.write(tmp_path / "file", "text")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def info(mode: int, uid: int | None = None, gid: int = 54321) -> os.stat_result:
    known = {"st_mode": stat.S_IFREG | mode, "st_uid": os.getuid() if uid is None else uid, "st_gid": gid}
    return SimpleNamespace(**known)  # type: ignore[return-value] # as much of one as is looked at


@pytest.mark.parametrize(
    ("found", "changeable"),
    [
        (info(0o600), False),
        (info(0o644), False),
        (info(0o444, uid=0), False),
        (info(0o666), True),
        (info(0o664), True),
        (info(0o646), True),
        (info(0o600, uid=54321), True),
    ],
)
def test_a_file_of_another_user_or_one_that_others_can_write_is_told(found: os.stat_result, changeable: bool):
    assert files.others_can_change(found) is changeable


@pytest.mark.parametrize(
    ("name", "members", "private"),
    [("user", [], True), ("user", ["user"], True), ("user", ["user", "guest"], False), ("staff", [], False)],
)
def test_the_user_s_private_group_is_nobody_else(
    monkeypatch: pytest.MonkeyPatch, name: str, members: list[str], private: bool
):
    monkeypatch.setattr(pwd, "getpwuid", lambda _: SimpleNamespace(pw_name="user", pw_gid=7))
    monkeypatch.setattr(grp, "getgrgid", lambda _: SimpleNamespace(gr_name=name, gr_mem=members))
    assert files.others_can_change(info(0o664, gid=7)) is not private
    assert files.others_can_change(info(0o666, gid=7))
    assert files.others_can_change(info(0o664, gid=8))


def test_where_files_have_no_owner_nothing_is_told(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delattr(os, "getuid")
    assert not files.others_can_change(info(0o666, uid=0))
