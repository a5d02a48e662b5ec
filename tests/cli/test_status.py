import json
import os
import signal
import socket
import threading
import time
from pathlib import Path

import msgspec
import pytest
from msgspec import structs

from claude_proxy import __version__
from claude_proxy.cli import status
from claude_proxy.paths import paths
from claude_proxy.service import daemon
from claude_proxy.service.record import Record
from tests.cli.conftest import Run

RECORD = Record(
    pid=5,
    started=1.0,
    since=time.time(),
    manager="systemd",
    instance="i",
    drain=1.0,
    flags={},
    url="http://127.0.0.1:1",
)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(-5, "0 s"), (59.9, "59 s"), (60, "1 min"), (3600, "1 h 0 min"), (12000, "3 h 20 min"), (187200, "2 d 4 h")],
)
def test_a_duration_has_one_or_two_units(seconds: float, text: str):
    assert status.duration(seconds) == text


def shown(answer: dict | None, problem: str | None = None) -> str:
    return "\n".join(status._lines(RECORD, answer, problem))


def test_why_there_is_no_answer_is_shown():
    assert "no: timed out" in shown(None, "timed out")


def test_a_daemon_that_starts_or_stops_is_not_asked():
    assert status._ask(structs.replace(RECORD, url=None)) == (
        None,
        "it does not listen, because it is starting or stopping",
    )


def test_a_daemon_that_hangs_has_an_exit_code_of_its_own(run: Run):
    assert run("start", "--simulator", "--port", "0").returncode == 0
    record = daemon.find(paths())
    assert record is not None
    os.kill(record.pid, signal.SIGSTOP)
    done, as_json = run("status"), run("status", "--json")
    os.kill(record.pid, signal.SIGCONT)
    assert (done.returncode, as_json.returncode) == (4, 4)
    assert f"no: the daemon (pid {record.pid}) does not answer: timed out" in done.stdout
    assert json.loads(as_json.stdout)["answers"] is False


def test_a_stranger_on_the_daemon_s_port_is_not_given_the_key(run: Run, home: Path):
    """As while the daemon drains: it runs, and its port is free."""
    assert run("start", "--simulator", "--port", "0", "--api-key-file", str(home / "key")).returncode == 0
    record = daemon.find(paths())
    assert record is not None
    key = (home / "key").read_bytes().strip()
    with socket.create_server(("127.0.0.1", 0)) as stranger:
        url = f"http://127.0.0.1:{stranger.getsockname()[1]}"
        paths().pid_file.write_bytes(msgspec.json.encode(structs.replace(record, url=url)))
        received: list[bytes] = []

        def answer() -> None:
            for _ in range(3):
                client, _ = stranger.accept()
                with client:
                    received.append(client.recv(65536))
                    client.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
                    received.append(client.recv(65536))

        listener = threading.Thread(target=answer)
        listener.start()
        codes = [run(*command).returncode for command in (["status"], ["models"], ["ask", "a secret question"])]
        listener.join(60)
    paths().pid_file.write_bytes(msgspec.json.encode(record))
    assert codes == [4, 1, 1]
    assert b"GET /health" in received[0]
    assert key not in b"".join(received)
    assert b"secret question" not in b"".join(received)


def test_a_daemon_of_another_version_is_named_and_what_it_omits_is_left_out():
    text = shown({"version": "0.0.1"})
    assert f"0.0.1; {__version__} is installed: `claude-proxy restart` switches to it" in text
    assert "credential" not in text


def test_everything_the_daemon_reports_is_shown():
    text = shown(
        {
            "version": __version__,
            "upstream": {"base_url": "https://x.example", "is_anthropic": False},
            "backend": {"answers": "claude_cli", "reason": "refused", "program": "/bin/claude", "version": "2.1.331"},
            "credential": {
                "found": True,
                "source": "Claude CLI login",
                "kind": "oauth",
                "subscription": "max",
                "expires_at": time.time() + 3700,
            },
            "requests": 3,
            "open_requests": 1,
            "clients": {"curl": 2, "x": 1},
            "last_error": {"message": "bad\nthing", "at": time.time() - 70},
        }
    )
    assert "under systemd" in text
    assert "https://x.example (not Anthropic's own)" in text
    assert "the Claude CLI 2.1.331 (/bin/claude) answers: refused" in text
    assert "Claude CLI login (login, max plan), expires in 1 h 1 min" in text
    assert "a plan login may be refused outside Claude Code" in text
    assert "3 served, 1 open" in text
    assert "curl 2, x 1" in text
    assert "bad\\nthing (1 min ago)" in text


def test_an_expired_login_and_a_missing_one_are_shown():
    assert status._credential({"found": False, "message": "nothing"}) == "none: nothing"
    assert status._credential({"found": None, "message": "still looking"}) == "still looking"
    expired = {"found": True, "source": "s", "kind": "api_key", "expires_at": time.time() - 10}
    assert status._credential(expired) == "s (API key), expired 10 s ago"
    assert status._ago(None) == "at an unknown time"
