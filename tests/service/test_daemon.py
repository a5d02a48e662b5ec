import os
import signal
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from claude_proxy.errors import ServiceError
from claude_proxy.paths import Paths
from claude_proxy.service import daemon
from claude_proxy.service.lock import Lock, is_locked
from claude_proxy.service.process import Process
from tests.service.conftest import record_of, written


def test_nothing_is_found_where_nothing_is(places: Paths):
    assert daemon.find(places) is None
    assert not places.state.exists()


def test_a_daemon_is_found_by_others_while_it_lives(places: Paths):
    with daemon.claim(places, manager="foreground", drain=3, flags={"port": "0"}) as claim:
        claim.listening("http://127.0.0.1:1")
        found = daemon.find(places)
    assert found == claim.record
    assert found.url == "http://127.0.0.1:1"
    assert daemon.find(places) is None
    assert not places.pid_file.exists()


def test_two_cannot_be_the_daemon(places: Paths):
    with (
        daemon.claim(places, manager="foreground", drain=1),
        pytest.raises(ServiceError, match=f"already running \\(pid {os.getpid()}\\)"),
        daemon.claim(places, manager="background", drain=1),
    ):
        pass


def test_files_are_for_this_user_only(places: Paths):
    with daemon.claim(places, manager="foreground", drain=1):
        assert places.state.stat().st_mode & 0o777 == 0o700
        assert places.pid_file.stat().st_mode & 0o777 == 0o600
        assert places.lock_file.stat().st_mode & 0o777 == 0o600


def test_a_pidfile_without_a_held_lock_is_a_leftover_even_if_its_process_lives(places: Paths, foreign):
    written(places, msgspec.json.encode(record_of(foreign.pid)))
    places.lock_file.touch()
    assert daemon.find(places) is None
    assert foreign.poll() is None


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(daemon, "SETTLE", 0.0)


@pytest.mark.usefixtures("quick")
def test_a_lock_whose_holder_is_unknown_is_an_error_with_a_way_out(places: Paths):
    lock = Lock(places.lock_file)
    assert lock.acquire(0)
    with pytest.raises(ServiceError, match="does not identify it") as caught:
        daemon.find(places)
    lock.release()
    assert "fuser" in (caught.value.hint or "")


@pytest.mark.usefixtures("quick")
def test_a_reused_pid_is_not_the_daemon(places: Paths, foreign):
    stale = record_of(foreign.pid, started=1.0)
    with Process(stale) as other:
        assert not other.send(signal.SIGKILL)
    assert foreign.poll() is None
    written(places, msgspec.json.encode(stale))
    lock = Lock(places.lock_file)
    assert lock.acquire(0)
    with pytest.raises(ServiceError):
        daemon.find(places)
    lock.release()


def test_a_file_in_place_of_the_directory_is_explained(tmp_path: Path):
    (tmp_path / "state").write_text("")
    places = Paths(config_file=tmp_path / "config.toml", state=tmp_path / "state", data=tmp_path / "data")
    with (
        pytest.raises(ServiceError, match=r"cannot write .*claude-proxy\.command\.lock") as caught,
        daemon.exclusive(places),
    ):
        pass
    assert "a directory that you can write to" in (caught.value.hint or "")


def test_a_pidfile_that_cannot_be_written_is_explained_and_frees_the_lock(places: Paths):
    places.pid_file.mkdir(parents=True)
    with pytest.raises(ServiceError, match="cannot write"), daemon.claim(places, manager="background", drain=1):
        pass
    assert not is_locked(places.lock_file)


def test_the_kernel_drops_the_lock_of_a_killed_daemon(places: Paths):
    program = (
        "import sys; from pathlib import Path; from claude_proxy.paths import Paths\n"
        "from claude_proxy.service import daemon\n"
        f"places = Paths(Path('x'), Path({str(places.state)!r}), Path({str(places.data)!r}))\n"
        "with daemon.claim(places, manager='background', drain=1): print('here', flush=True); sys.stdin.read()\n"
    )
    child = subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert child.stdout is not None
    assert child.stdout.readline() == b"here\n"
    found = daemon.find(places)
    assert found is not None
    assert found.pid == child.pid
    with Process(found) as killed:
        assert not killed.wait(0)
        assert killed.send(signal.SIGKILL)
        assert killed.wait(10)
        assert not killed.send(signal.SIGKILL)
    child.communicate()
    assert places.pid_file.exists()
    assert daemon.find(places) is None


def test_commands_that_start_or_stop_exclude_each_other(places: Paths):
    with (
        daemon.exclusive(places),
        pytest.raises(ServiceError, match="for too long"),
        daemon.exclusive(places, timeout=0),
    ):
        pass
    with daemon.exclusive(places, timeout=0):
        pass


def test_the_address_is_withdrawn_when_the_daemon_stops(places: Paths):
    with daemon.claim(places, manager="foreground", drain=3) as claim:
        claim.listening("http://127.0.0.1:1")
        claim.stopping()
        found = daemon.find(places)
        assert found is not None
        assert (found.pid, found.url) == (os.getpid(), None)
        places.pid_file.unlink()
        places.pid_file.mkdir()
        claim.stopping()  # what cannot be written keeps nothing from stopping
        places.pid_file.rmdir()


@pytest.mark.parametrize("mode", [0o777, 0o1777])
def test_a_state_directory_that_others_can_change_is_refused(places: Paths, mode: int):
    places.state.mkdir()
    places.state.chmod(mode)
    with pytest.raises(ServiceError, match="other users can change"), daemon.exclusive(places):
        pass
    with (
        pytest.raises(ServiceError, match="other users can change") as caught,
        daemon.claim(places, manager="background", drain=1),
    ):
        pass
    assert "chmod 700" in (caught.value.hint or "")


def test_a_path_that_is_no_utf8_can_be_recorded(places: Paths):
    with daemon.claim(places, manager="background", drain=1, log=Path(os.fsdecode(b"/\xff"))) as claim:
        assert daemon.find(places) == claim.record
