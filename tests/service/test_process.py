import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from claude_proxy.service import process
from claude_proxy.service.process import Process
from tests.service.conftest import SLEEPER, record_of


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
    with Process(record_of(child.pid)) as known:
        assert not known.wait(0.02)
        assert known.send(signal.SIGTERM)
        assert known.wait(10)
        assert not known.send(signal.SIGTERM)
    child.communicate()


def test_a_process_that_ends_between_look_and_signal_is_gone(monkeypatch: pytest.MonkeyPatch):
    child = subprocess.Popen(SLEEPER, stdin=subprocess.PIPE)
    known = record_of(child.pid)
    with Process(known) as gone:
        child.kill()
        child.communicate()
        monkeypatch.setattr(process, "is_alive", lambda _: True)
        assert not gone.send(signal.SIGTERM)
