import io
import os
import time
from pathlib import Path

import pytest

from claude_proxy.cli import logs

TEXT = b"".join(b"line %d\n" % number for number in range(30000))


@pytest.mark.parametrize("count", [0, 1, 2, 29999, 30000, 40000])
def test_the_last_lines_are_the_last_lines(count: int):
    stream = io.BytesIO(TEXT)
    lines = TEXT.splitlines(keepends=True)
    assert logs.last_lines(stream, count) == b"".join(lines[max(0, len(lines) - count) :])
    assert stream.tell() == len(TEXT)


@pytest.mark.parametrize(("text", "last"), [(b"", b""), (b"no end", b"no end"), (b"a\n\n", b"\n"), (b"a\nb", b"b")])
def test_odd_ends_are_lines_too(text: bytes, last: bytes):
    assert logs.last_lines(io.BytesIO(text), 1) == last


def test_a_log_is_followed_through_its_rotation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    file = tmp_path / "log"
    file.write_bytes(b"old\nnew\n")

    def rotate(_: float) -> None:
        with file.open("ab") as stream:
            stream.write(b"last words\n")
        os.rename(file, tmp_path / "log.1")  # noqa: PTH104 - as the handler does it
        file.write_bytes(b"first of the next\n")

    monkeypatch.setattr(time, "sleep", rotate)
    following = logs.follow_file(file, 4)
    assert [next(following) for _ in range(3)] == [b"new\n", b"last words\n", b"first of the next\n"]


def test_a_log_that_is_gone_for_a_moment_is_no_other_one(tmp_path: Path):
    (tmp_path / "log").touch()
    with (tmp_path / "log").open("rb") as stream:
        assert not logs._is_another(stream, tmp_path / "gone")
        assert not logs._is_another(stream, tmp_path / "log")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no FIFOs")
def test_a_fifo_in_place_of_the_log_is_an_error_and_keeps_nothing_waiting(tmp_path: Path):
    os.mkfifo(tmp_path / "log")
    with pytest.raises(OSError, match="not a regular file"):
        logs._open_file(tmp_path / "log")
