import os

import pytest

from claude_proxy.credentials.file_reading import read_file


def test_a_file_is_read_with_what_the_system_knows_of_it(tmp_path):
    file = tmp_path / "file"
    file.write_bytes(b"secret")
    content = read_file(file, 6)
    assert content is not None
    assert (content.data, content.info.st_size) == (b"secret", 6)
    assert "secret" not in repr(content)


@pytest.mark.parametrize("name", ["absent", "file/below"])
def test_a_file_that_is_not_there_is_none(tmp_path, name):
    (tmp_path / "file").touch()
    assert read_file(tmp_path / name, 10) is None


def test_a_file_larger_than_the_bound_is_an_error(tmp_path):
    file = tmp_path / "file"
    file.write_bytes(b"1234567")
    with pytest.raises(OSError, match="larger than 6 bytes"):
        read_file(file, 6)


def test_a_directory_is_an_error(tmp_path):
    with pytest.raises(IsADirectoryError):
        read_file(tmp_path, 6)


def test_a_fifo_without_a_writer_is_empty(tmp_path):
    os.mkfifo(tmp_path / "fifo")
    content = read_file(tmp_path / "fifo", 6)
    assert content is not None
    assert content.data == b""
