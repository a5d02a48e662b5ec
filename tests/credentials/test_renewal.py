"""Renewal by another program, played here by small scripts; `test_real_cli.py` has the real one."""

import fcntl
import os
import signal
import subprocess
import sys
import threading

import pytest

from claude_proxy.credentials import renewal
from claude_proxy.credentials.renewal import Renewal
from tests.support.waiting import until


@pytest.fixture
def store(tmp_path):
    directory = tmp_path / "store"
    directory.mkdir()
    return directory / "login.json"


@pytest.fixture
def renews(executable, store, tmp_path):
    """A function that makes a Renewal by a program with the given shell text."""

    def make(text: str, **environ: str) -> Renewal:
        executable("renewer", f"#!/bin/sh\n{text}\n", tmp_path / "bin")
        variables = {"PATH": f"{tmp_path}/bin:/usr/bin:/bin", "HOME": str(tmp_path), **environ}
        return Renewal("renewer", [["auth", "status"]], store, variables, tmp_path)

    return make


def never() -> bool:
    return False


def is_locked(store) -> bool:
    descriptor = os.open(store.parent, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def test_the_program_is_run_with_its_arguments(renews, store):
    assert renews(f'echo "$@" > {store}').run(never) is None
    assert store.read_text() == "auth status\n"
    assert not is_locked(store)


def test_it_hears_nothing_and_knows_no_account_but_its_own(renews, store):
    program = renews(
        f"cat > {store}; env >> {store}; pwd >> {store}", ANTHROPIC_API_KEY="secret", CLAUDE_CONFIG_DIR="/x"
    )
    assert program.run(never) is None
    seen = store.read_text()
    assert "secret" not in seen
    assert "CLAUDE_CONFIG_DIR=/x\n" in seen
    assert seen.endswith(f"{store.parent.parent}\n")


def test_calls_follow_each_other_until_it_is_done(renews, store):
    program = renews(f'echo "$@" >> {store}')
    program._calls = [["first"], ["second"], ["third"]]
    assert program.run(lambda: store.exists() and "second" in store.read_text()) is None
    assert store.read_text() == "first\nsecond\n"


def test_nothing_lies_beside_the_store_afterwards(renews, store):
    renews("exit 1").run(never)
    assert list(store.parent.iterdir()) == []


def test_what_is_done_already_is_not_done_again(renews, store):
    assert renews(f"echo > {store}").run(lambda: True) is None
    assert not store.exists()
    assert not is_locked(store)


def test_a_program_that_is_not_there_is_named(store, tmp_path):
    problem = Renewal("made-up-program", [[]], store, {"PATH": "/nowhere"}, tmp_path).run(never)
    assert problem == "the program `made-up-program`, which could renew it, was not found"


def test_a_program_that_cannot_run_is_reported(renews, tmp_path, store):
    program = renews("")
    (tmp_path / "bin/renewer").write_bytes(b"\x7fELF no program")
    assert "could not be run" in (program.run(never) or "")
    assert not is_locked(store)


def test_without_a_home_there_is_no_renewal(executable, tmp_path):
    executable("renewer", "#!/bin/sh\n", tmp_path)
    problem = Renewal("renewer", [[]], tmp_path / "a/b", {"PATH": str(tmp_path)}, tmp_path / "gone").run(never)
    assert "could not be opened" in (problem or "")


def test_a_file_system_without_locks_is_no_obstacle(renews, store, monkeypatch):
    def no_locks(*_):
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(fcntl, "flock", no_locks)
    assert renews(f"echo > {store}").run(never) is None
    assert store.exists()


def test_another_process_that_renews_is_waited_for(renews, store):
    descriptor = os.open(store.parent, os.O_RDONLY)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    answers: list[str | None] = []
    done = threading.Event()
    waiter = threading.Thread(target=lambda: answers.append(renews(f"echo > {store}").run(done.is_set)))
    waiter.start()
    done.set()
    os.close(descriptor)
    waiter.join(20)
    assert answers == [None]
    assert not store.exists()


def test_another_process_that_takes_too_long_is_reported(renews, store, monkeypatch):
    monkeypatch.setattr(renewal, "TIMEOUT", 0.1)
    descriptor = os.open(store.parent, os.O_RDONLY)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    assert renews("").run(never) == "another process has not finished renewing it"
    os.close(descriptor)


def test_a_slow_program_is_left_to_finish_and_keeps_the_lock_until_then(renews, store, tmp_path, monkeypatch):
    monkeypatch.setattr(renewal, "TIMEOUT", 0.1)
    go = tmp_path / "go"
    problem = renews(f"while [ ! -e {go} ]; do sleep 0.02; done; echo renewed > {store}").run(never)
    assert "did not finish" in (problem or "")
    assert is_locked(store)
    go.touch()
    until(lambda: not is_locked(store))
    assert store.read_text() == "renewed\n"


def test_a_program_that_never_ends_is_ended_at_last(renews, store, monkeypatch):
    monkeypatch.setattr(renewal, "TIMEOUT", 0.1)
    monkeypatch.setattr(renewal, "KILL_AFTER", 0.2)
    renews("exec sleep 300").run(never)
    until(lambda: not is_locked(store))


def test_the_lock_outlives_the_process_that_took_it(renews, store, tmp_path, executable):
    go = tmp_path / "go"
    renews(f"touch {tmp_path}/started; while [ ! -e {go} ]; do sleep 0.02; done")
    program = (
        "import pathlib; from claude_proxy.credentials.renewal import Renewal;"
        f"Renewal('renewer', [[]], pathlib.Path({str(store)!r}), {{'PATH': {f'{tmp_path}/bin:/usr/bin:/bin'!r}}},"
        f" pathlib.Path({str(tmp_path)!r})).run(lambda: False)"
    )
    ours = subprocess.Popen([sys.executable, "-c", program])
    until((tmp_path / "started").exists)
    ours.send_signal(signal.SIGKILL)
    ours.wait()
    assert is_locked(store)
    go.touch()
    until(lambda: not is_locked(store))
