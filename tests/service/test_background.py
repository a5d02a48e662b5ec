import os
import subprocess
import sys
from pathlib import Path

import pytest

from claude_proxy.errors import ServiceError
from claude_proxy.paths import Paths
from claude_proxy.service import background, daemon, process
from claude_proxy.service.probe import is_itself
from claude_proxy.service.record import Record

ARGUMENTS = ["--simulator", "--port=0"]


@pytest.fixture
def places(home: Path) -> Paths:
    state = home / ".local" / "state" / "claude-proxy"
    return Paths(
        config_file=home / ".config" / "claude-proxy" / "config.toml",
        state=state,
        data=home / ".local" / "share" / "claude-proxy",
    )


@pytest.fixture
def environ() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}


def test_a_started_daemon_answers_and_a_stopped_one_is_gone(places: Paths, environ: dict[str, str]):
    record = background.start(places, arguments=ARGUMENTS, environ=environ)
    assert record == daemon.find(places)
    assert is_itself(record)
    assert record.log == str(places.log_file)
    assert background.stop(record) is False
    assert daemon.find(places) is None
    assert not is_itself(record)
    assert background.stop(record) is False


def test_a_daemon_that_a_manager_starts_is_awaited(places: Paths, environ: dict[str, str]):
    record = background.start(places, arguments=ARGUMENTS, environ=environ)
    assert background.wait_until_ready(places, timeout=10) == record
    background.stop(record)
    with pytest.raises(ServiceError, match=r"did not answer within 0\.05 s"):
        background.wait_until_ready(places, timeout=0.05)


def test_a_daemon_that_does_not_answer_in_time_is_ended(places: Paths, environ: dict[str, str]):
    with pytest.raises(ServiceError, match="did not answer within 0 s") as caught:
        background.start(places, arguments=ARGUMENTS, environ=environ, timeout=0)
    assert str(places.log_file) in (caught.value.hint or "")
    assert daemon.find(places) is None


def test_a_daemon_that_refuses_to_start_says_why(places: Paths, environ: dict[str, str]):
    with pytest.raises(ServiceError) as caught:
        background.start(places, arguments=["--simulator", "--port=seven"], environ=environ)
    assert caught.value.message == "--port must be a whole number between 0 and 65535, not 'seven'"
    assert caught.value.hint == f"the daemon's log is {places.log_file}"


def test_a_daemon_that_dies_without_a_word_of_ours_has_its_last_lines_shown(places: Paths, environ: dict[str, str]):
    places.state.mkdir(mode=0o700, parents=True)
    places.log_file.write_text("error: of long ago\n")
    with pytest.raises(ServiceError, match="ended at once, with exit code 1; the end of its log:\n") as caught:
        background.start(places, arguments=ARGUMENTS, environ={**environ, "PYTHONHOME": "/nonexistent"})
    assert "of long ago" not in caught.value.message
    assert places.log_file.stat().st_mode & 0o777 == 0o600


def test_a_directory_in_place_of_the_log_is_explained(places: Paths, environ: dict[str, str]):
    places.log_file.mkdir(parents=True)
    with pytest.raises(ServiceError, match=r"cannot write .*: Is a directory"):
        background.start(places, arguments=ARGUMENTS, environ=environ)


def test_a_pipe_in_place_of_the_log_is_explained(places: Paths, environ: dict[str, str]):
    places.state.mkdir(mode=0o700, parents=True)
    os.mkfifo(places.log_file)
    reader = os.open(places.log_file, os.O_RDONLY | os.O_NONBLOCK)
    with pytest.raises(ServiceError, match="is not a regular file"):
        background.start(places, arguments=ARGUMENTS, environ=environ)
    os.close(reader)


def test_a_pipe_without_a_reader_in_place_of_the_log_is_not_waited_for(places: Paths):
    places.state.mkdir(mode=0o700, parents=True)
    os.mkfifo(places.log_file)
    with pytest.raises(ServiceError, match="cannot write"):
        background.check_log(places.log_file)


def test_a_log_that_vanished_has_no_last_lines(tmp_path: Path):
    assert background._written_since(tmp_path / "gone", 0) == []


@pytest.fixture
def stubborn(places: Paths):
    """A daemon that does not hear SIGTERM."""
    program = (
        "import signal, sys; from pathlib import Path; from claude_proxy.paths import Paths\n"
        "from claude_proxy.service import daemon\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        f"places = Paths(Path('x'), Path({str(places.state)!r}), Path({str(places.data)!r}))\n"
        "with daemon.claim(places, manager='background', drain=0): print('here', flush=True); sys.stdin.read()\n"
    )
    child = subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert child.stdout is not None
    child.stdout.readline()
    record = daemon.find(places)
    yield record
    child.kill()
    child.communicate()


def test_a_daemon_that_does_not_end_is_killed(stubborn: Record, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(background, "STOP_MARGIN", 0.2)
    waited: list[bool] = []
    assert background.stop(stubborn, waiting=lambda: waited.append(True)) is True
    assert waited == [True]
    assert not process.is_alive(stubborn)


def test_a_daemon_that_survives_even_that_is_reported(stubborn: Record, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(background, "STOP_MARGIN", 0.01)
    monkeypatch.setattr(process.Process, "wait", lambda *_: False)
    with pytest.raises(ServiceError, match="did not end, even when killed"):
        background.stop(stubborn)
