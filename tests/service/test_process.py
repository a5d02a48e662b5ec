import json
import os
import signal
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from claude_proxy.errors import ServiceError
from claude_proxy.paths import Paths
from claude_proxy.service import process
from claude_proxy.service.process import Lock, Process, Record

SLEEPER = [sys.executable, "-c", "import sys; sys.stdin.read()"]


@pytest.fixture
def places(tmp_path: Path) -> Paths:
    return Paths(config_file=tmp_path / "config.toml", state=tmp_path / "státe of things", data=tmp_path / "data")


@pytest.fixture
def foreign():
    """A living process that has nothing to do with us."""
    child = subprocess.Popen(SLEEPER, stdin=subprocess.PIPE)
    yield child
    child.kill()
    child.communicate()


def record(pid: int, **changes: Any) -> Record:
    known = Record(
        pid=pid,
        started=process.start_time(pid) or 0.0,
        since=0.0,
        manager="background",
        instance="ab" * 16,
        drain=1.0,
        flags={},
    )
    return replace(known, **changes)


def written(places: Paths, text: str) -> Path:
    places.state.mkdir(parents=True)
    places.pid_file.write_text(text)
    return places.pid_file


def test_nothing_is_found_where_nothing_is(places: Paths):
    assert process.find(places) is None
    assert not places.state.exists()


def test_a_daemon_is_found_by_others_while_it_lives(places: Paths):
    with process.claim(places, manager="foreground", drain=3, flags={"port": "0"}) as claim:
        claim.listening("http://127.0.0.1:1")
        found = process.find(places)
    assert found == claim.record
    assert found.url == "http://127.0.0.1:1"
    assert process.find(places) is None
    assert not places.pid_file.exists()


def test_two_cannot_be_the_daemon(places: Paths):
    with (
        process.claim(places, manager="foreground", drain=1),
        pytest.raises(ServiceError, match=f"already running \\(pid {os.getpid()}\\)"),
        process.claim(places, manager="background", drain=1),
    ):
        pass


def test_files_are_for_this_user_only(places: Paths):
    with process.claim(places, manager="foreground", drain=1):
        assert places.state.stat().st_mode & 0o777 == 0o700
        assert places.pid_file.stat().st_mode & 0o777 == 0o600
        assert places.lock_file.stat().st_mode & 0o777 == 0o600


def test_a_pidfile_without_a_held_lock_is_a_leftover_even_if_its_process_lives(places: Paths, foreign):
    written(places, json.dumps(asdict(record(foreign.pid))))
    places.lock_file.touch()
    assert process.find(places) is None
    assert foreign.poll() is None


@pytest.mark.usefixtures("quick")
def test_a_lock_whose_holder_is_unknown_is_an_error_with_a_way_out(places: Paths):
    lock = Lock(places.lock_file)
    assert lock.acquire(0)
    with pytest.raises(ServiceError, match="does not identify it") as caught:
        process.find(places)
    lock.release()
    assert "fuser" in (caught.value.hint or "")


@pytest.mark.usefixtures("quick")
def test_a_reused_pid_is_nobody_we_know(places: Paths, foreign):
    stale = record(foreign.pid, started=1.0)
    with Process(stale) as other:
        assert not other.send(signal.SIGKILL)
    assert foreign.poll() is None
    written(places, json.dumps(asdict(stale)))
    lock = Lock(places.lock_file)
    assert lock.acquire(0)
    with pytest.raises(ServiceError):
        process.find(places)
    lock.release()


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(process, "SETTLE", 0.0)


@pytest.mark.parametrize("pid", [-1, 0, 1, True, 2**31, 1.5, "2", None])
def test_a_pid_that_could_name_others_is_refused(places: Paths, pid: object):
    data = asdict(record(os.getpid()))
    assert process.read(written(places, json.dumps({**data, "pid": pid}))) is None


@pytest.mark.parametrize(
    "change",
    [{"started": "1"}, {"manager": "upstart"}, {"url": 1}, {"flags": {"port": 1}}, {"extra": 1}, {"drain": True}],
)
def test_a_pidfile_with_a_wrong_field_is_refused(places: Paths, change: dict):
    data = asdict(record(os.getpid()))
    assert process.read(written(places, json.dumps({**data, **change}))) is None


@pytest.mark.parametrize("text", ["", "12", "[]", "{", "\0" * 10, "[" * 4096, " " * 5000, '{"pid": 5}'])
def test_a_pidfile_that_is_none_is_refused(places: Paths, text: str):
    assert process.read(written(places, text)) is None


def test_a_link_in_place_of_the_pidfile_is_not_followed(places: Paths, tmp_path: Path):
    good = tmp_path / "good"
    good.write_text(json.dumps(asdict(record(os.getpid()))))
    assert process.read(good) is not None
    places.state.mkdir()
    places.pid_file.symlink_to(good)
    assert process.read(places.pid_file) is None
    before = good.read_text()
    with process.claim(places, manager="background", drain=1):
        assert not places.pid_file.is_symlink()
    assert good.read_text() == before


def test_a_pipe_in_place_of_the_pidfile_keeps_nobody_waiting(places: Paths):
    places.state.mkdir()
    os.mkfifo(places.pid_file)
    assert process.read(places.pid_file) is None


def test_a_link_in_place_of_the_lock_is_refused(places: Paths, tmp_path: Path):
    places.state.mkdir()
    places.lock_file.symlink_to(tmp_path / "elsewhere")
    assert not process.is_locked(places.lock_file)
    with pytest.raises(ServiceError, match="cannot write"), process.claim(places, manager="background", drain=1):
        pass
    assert not (tmp_path / "elsewhere").exists()


def test_a_file_in_place_of_the_directory_is_explained(tmp_path: Path):
    (tmp_path / "state").write_text("")
    places = Paths(config_file=tmp_path / "config.toml", state=tmp_path / "state", data=tmp_path / "data")
    with pytest.raises(ServiceError, match=r"cannot write .*claude-proxy\.turn") as caught, process.turn(places):
        pass
    assert "a directory that you can write to" in (caught.value.hint or "")


def test_a_pidfile_that_cannot_be_written_is_explained_and_frees_the_lock(places: Paths):
    places.pid_file.mkdir(parents=True)
    with pytest.raises(ServiceError, match="cannot write"), process.claim(places, manager="background", drain=1):
        pass
    assert not process.is_locked(places.lock_file)


def test_looking_keeps_no_daemon_from_starting(places: Paths):
    places.state.mkdir()
    places.lock_file.touch()
    looker = os.open(places.lock_file, os.O_RDWR)
    assert process._try_lock(looker, shared=True)
    lock = Lock(places.lock_file)
    assert not lock.acquire(0)
    os.close(looker)
    assert lock.acquire(0)
    lock.release()
    lock.release()


def test_the_kernel_drops_the_lock_of_a_killed_daemon(places: Paths):
    program = (
        "import sys; from pathlib import Path; from claude_proxy.paths import Paths\n"
        "from claude_proxy.service import process\n"
        f"places = Paths(Path('x'), Path({str(places.state)!r}), Path({str(places.data)!r}))\n"
        "with process.claim(places, manager='background', drain=1): print('here', flush=True); sys.stdin.read()\n"
    )
    child = subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert child.stdout is not None
    assert child.stdout.readline() == b"here\n"
    found = process.find(places)
    assert found is not None
    assert found.pid == child.pid
    with Process(found) as daemon:
        assert not daemon.wait(0)
        assert daemon.send(signal.SIGKILL)
        assert daemon.wait(10)
        assert not daemon.send(signal.SIGKILL)
    child.communicate()
    assert places.pid_file.exists()
    assert process.find(places) is None


def test_a_zombie_is_not_alive():
    child = subprocess.Popen([sys.executable, "-c", ""])
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert process.start_time(child.pid) is None
    assert process._created(child.pid) is None
    child.wait()
    assert process.start_time(child.pid) is None
    assert process._created(child.pid) is None


def test_a_name_with_blanks_and_parentheses_hides_no_start_time(tmp_path: Path):
    odd = tmp_path / "a) Z 1 (b"
    odd.symlink_to("/bin/cat")
    with subprocess.Popen([odd], stdin=subprocess.PIPE) as child:
        assert process._ticks(child.pid) is not None
        assert abs((process._created(child.pid) or 0) - (process._created(os.getpid()) or 0)) < 3600


def test_without_pidfds_a_process_is_signalled_and_awaited_by_its_number(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delattr(os, "pidfd_open", raising=False)
    child = subprocess.Popen(SLEEPER, stdin=subprocess.PIPE)
    with Process(record(child.pid)) as known:
        assert not known.wait(0.02)
        assert known.send(signal.SIGTERM)
        assert known.wait(10)
        assert not known.send(signal.SIGTERM)
    child.communicate()


def test_a_process_that_ends_between_look_and_signal_is_gone(monkeypatch: pytest.MonkeyPatch):
    child = subprocess.Popen(SLEEPER, stdin=subprocess.PIPE)
    known = record(child.pid)
    with Process(known) as gone:
        child.kill()
        child.communicate()
        monkeypatch.setattr(process, "is_alive", lambda _: True)
        assert not gone.send(signal.SIGTERM)


def test_turns_are_taken_one_after_the_other(places: Paths):
    with process.turn(places), pytest.raises(ServiceError, match="for too long"), process.turn(places, timeout=0):
        pass
    with process.turn(places, timeout=0):
        pass
