import json
import os
from pathlib import Path

import pytest
from msgspec import structs

from claude_proxy.errors import ServiceError
from claude_proxy.paths import Paths
from claude_proxy.service import daemon, record
from tests.service.conftest import record_of, written


@pytest.mark.parametrize("pid", [-1, 0, 1, True, 2**31, 1.5, "2", None])
def test_a_pid_that_could_name_others_is_refused(places: Paths, pid: object):
    data = structs.asdict(record_of(os.getpid()))
    assert record.read(written(places, json.dumps({**data, "pid": pid}))) is None


@pytest.mark.parametrize(
    "change",
    [{"started": "1"}, {"manager": "upstart"}, {"url": 1}, {"flags": {"port": 1}}, {"extra": 1}, {"drain": True}],
)
def test_a_pidfile_with_a_wrong_field_is_refused(places: Paths, change: dict):
    data = structs.asdict(record_of(os.getpid()))
    assert record.read(written(places, json.dumps({**data, **change}))) is None


@pytest.mark.parametrize("text", ["", "12", "[]", "{", "\0" * 10, "[" * 4096, " " * 5000, '{"pid": 5}'])
def test_a_file_that_is_no_pidfile_is_refused(places: Paths, text: str):
    assert record.read(written(places, text)) is None


def test_a_link_in_place_of_the_pidfile_is_not_followed(places: Paths, tmp_path: Path):
    good = tmp_path / "good"
    good.write_text(json.dumps(structs.asdict(record_of(os.getpid()))))
    assert record.read(good) is not None
    places.state.mkdir(mode=0o700)
    places.pid_file.symlink_to(good)
    assert record.read(places.pid_file) is None
    before = good.read_text()
    with daemon.claim(places, manager="background", drain=1):
        assert not places.pid_file.is_symlink()
    assert good.read_text() == before


def test_a_pipe_in_place_of_the_pidfile_is_not_waited_for(places: Paths):
    places.state.mkdir(mode=0o700)
    os.mkfifo(places.pid_file)
    assert record.read(places.pid_file) is None


def test_what_is_written_can_be_read_however_long_it_is(places: Paths):
    places.state.mkdir(mode=0o700)
    long = record_of(os.getpid(), flags={"aliases": "x" * 100_000, "host": "\N{SNOWMAN}"}, url="http://127.0.0.1:1")
    record.write(places.pid_file, long)
    assert record.read(places.pid_file) == long
    with pytest.raises(ServiceError, match="the flags are too long"):
        record.write(places.pid_file, record_of(os.getpid(), flags={"aliases": "x" * record.MAX_PIDFILE}))
    assert record.read(places.pid_file) == long


def test_a_file_above_the_bound_is_not_read(places: Paths):
    assert record.read(written(places, " " * record.MAX_PIDFILE + "{}")) is None
