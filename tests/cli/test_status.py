import time

import pytest

from claude_proxy import __version__
from claude_proxy.cli import status
from claude_proxy.service.process import Record

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
def test_a_duration_is_said_as_people_say_it(seconds: float, text: str):
    assert status.duration(seconds) == text


def said(answer: dict | None) -> str:
    return "\n".join(status._lines(RECORD, answer))


def test_a_silent_port_is_said():
    assert "no: the process lives, but its port is silent" in said(None)
    assert "no: Incorrect API key" in said({"error": {"message": "Incorrect API key"}})


def test_a_daemon_of_another_version_is_told_what_it_leaves_out():
    text = said({"version": "0.0.1"})
    assert f"0.0.1; {__version__} is installed: `claude-proxy restart` changes over" in text
    assert "credential" not in text


def test_everything_the_daemon_tells_is_shown():
    text = said(
        {
            "version": __version__,
            "upstream": {"base_url": "https://x.example", "is_anthropic": False},
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
    assert "Claude CLI login (login, max plan), expires in 1 h 1 min" in text
    assert "a plan login may be refused outside Claude Code" in text
    assert "3 served, 1 open" in text
    assert "curl 2, x 1" in text
    assert "bad\\nthing (1 min ago)" in text


def test_a_login_that_ran_out_and_one_that_is_not_there_are_said():
    assert status._credential({"found": False, "message": "nothing"}) == "none: nothing"
    assert status._credential({"found": None, "message": "still looking"}) == "still looking"
    expired = {"found": True, "source": "s", "kind": "api_key", "expires_at": time.time() - 10}
    assert status._credential(expired) == "s (API key), expired 10 s ago"
    assert status._ago(None) == "some time ago"
