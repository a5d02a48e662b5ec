"""The simulator as a process of its own."""

import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator

import pytest

COMMAND = [sys.executable, "-m", "claude_proxy", "simulator", "--port", "0"]


@pytest.fixture
def process() -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(COMMAND, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as started:
        yield started
        started.kill()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_says_where_it_listens_and_ends_on_a_signal(process, number):
    name, _, url = process.stdout.readline().strip().partition("=")
    assert name == "ANTHROPIC_BASE_URL"
    with urllib.request.urlopen(urllib.request.Request(url, method="HEAD"), timeout=20) as reply:
        assert (reply.status, reply.headers["x-simulated"]) == (200, "true")
    process.send_signal(number)
    _, err = process.communicate(timeout=20)
    assert process.returncode == 0
    assert "Traceback" not in err
