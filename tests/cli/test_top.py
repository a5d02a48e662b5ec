import json
import time
from typing import Any

import pytest
from rich.console import Console

from claude_proxy.cli.top import HEAD, Screen, cells, read_events, table
from tests.cli.conftest import Run, Spawn

ROW: dict[str, Any] = {
    "number": 1,
    "client": "curl",
    "method": "POST",
    "path": "/v1/x",
    "dialect": "chat",
    "model": "sonnet",
    "started": time.time(),
    "first_token": 0.5,
    "duration": 1.25,
    "status": 200,
    "left": False,
    "input_tokens": 10,
    "cache_read_tokens": 30,
    "cache_write_tokens": None,
    "output_tokens": 1234,
    "warnings": ["seed", "n"],
}


def test_events_are_read_with_their_names() -> None:
    lines = [b"event: state\n", b'data: {"a": 1}\n', b"\n", b"event: open\n", b"data: []\n", b"\n"]
    assert list(read_events(lines)) == [("state", {"a": 1}), ("open", [])]


def test_a_row_shows_what_is_known() -> None:
    shown = dict(zip(HEAD, cells(ROW), strict=True))
    assert (shown["FIRST"], shown["TOTAL"], shown["INPUT"], shown["CACHED"]) == ("0.50 s", "1.25 s", "40", "75 %")
    assert (shown["OUTPUT"], shown["WARNINGS"]) == ("1,234", "seed, n")


def test_what_is_not_known_is_a_dash() -> None:
    nothing = {**ROW, "first_token": None, "status": None, "output_tokens": None, "cache_read_tokens": None}
    shown = dict(zip(HEAD, cells({**nothing, "input_tokens": None}), strict=True))
    assert {shown[name] for name in ("FIRST", "STATUS", "INPUT", "CACHED", "OUTPUT")} == {"-"}


def test_foreign_text_cannot_act_on_the_terminal() -> None:
    assert "\x1b" not in "".join(cells({**ROW, "client": "\x1b[2J", "model": "\x1b]0;x\x07"}))


def test_open_requests_come_first_and_then_the_newest() -> None:
    screen = Screen()
    for event in (("done", {**ROW, "model": "old"}), ("done", {**ROW, "model": "new"}), ("open", [ROW])):
        screen.take(event)
    rows = screen.rows(10)
    assert [row[2] for row in rows] == ["sonnet", "new", "old"]
    assert rows[0][4] == "open"
    assert len(screen.rows(2)) == 2


@pytest.mark.parametrize("width", [60, 200])
def test_the_live_table_fits_the_terminal(width: int) -> None:
    screen = Screen(state={"version": "1", "base_url": "http://localhost:1/openai/v1"})
    for _ in range(100):
        screen.take(("done", ROW))
    console = Console(width=width, height=20, record=True)
    console.print(table(screen, console.height))
    lines = console.export_text().splitlines()
    assert len(lines) <= 20
    assert max(map(len, lines)) <= width


def test_without_a_daemon_it_says_what_to_do(run: Run) -> None:
    done = run("top")
    assert done.returncode == 1
    assert "claude-proxy start" in done.stderr


def test_the_last_requests_are_printed_once(run: Run) -> None:
    run("start", "--simulator", "--port=0")
    run("ask", "hello", "there")
    done = run("top", "--once")
    head, line = done.stdout.splitlines()
    assert head.split() == list(HEAD)
    assert "claude-proxy" in line
    assert "sonnet" in line
    assert "200" in line
    assert "hello" not in done.stdout


def test_in_a_pipe_each_request_is_a_plain_line(run: Run, spawn: Spawn) -> None:
    run("start", "--simulator", "--port=0")
    process = spawn("top")
    run("ask", "hello")
    assert process.stdout is not None
    line = process.stdout.readline()
    assert "sonnet" in line
    assert "\x1b" not in line
    assert json.loads(run("status", "--json").stdout)["status"]["open_requests"] == 0
