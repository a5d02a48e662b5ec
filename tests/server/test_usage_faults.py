"""A daemon whose ledger cannot be written, or that is killed: answers go on, the user is told, nothing else is lost."""

import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from claude_proxy.paths import paths
from claude_proxy.server import metering
from claude_proxy.store import database
from tests.store.test_usage import rows_in
from tests.support.daemon import Daemon, daemon
from tests.support.waiting import until

ROOT = Path(__file__).parents[2]
ASK = {"model": "claude-sonnet-4-5", "max_tokens": 100, "messages": [{"role": "user", "content": "Hello"}]}


async def ask(session: aiohttp.ClientSession, proxy: Daemon) -> None:
    async with session.post(f"{proxy.openai}/chat/completions", json=ASK) as reply:
        assert reply.status == 200
        assert (await reply.json())["choices"][0]["message"]["content"]


async def usage_of(session: aiohttp.ClientSession, proxy: Daemon) -> Any:
    """What `status` says about the ledger, after an attempt to write what has ended."""
    async with session.get(f"{proxy.url}/usage") as reply:
        await reply.read()
    async with session.get(f"{proxy.url}/status") as reply:
        return (await reply.json())["usage"]


async def test_a_locked_ledger_delays_no_answer_and_is_written_once_it_is_free(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    monkeypatch.setattr(database, "LOCK_TIMEOUT", 0.01)
    file = tmp_path / "data" / "a.sqlite3"
    async with daemon(store_file=file) as proxy, aiohttp.ClientSession() as session:
        await ask(session, proxy)
        assert (await usage_of(session, proxy))["problem"] is None
        other = sqlite3.connect(file, isolation_level=None)
        other.execute("BEGIN EXCLUSIVE")
        for _ in range(3):
            await ask(session, proxy)
            found = await usage_of(session, proxy)
        assert found["problem"] == "the store cannot be used: another process has locked the file"
        other.execute("ROLLBACK")
        other.close()
        found = await usage_of(session, proxy)
        assert (found["problem"], found["lost"]) == (None, 0)
    assert len(rows_in(file)) == 4
    assert len([message for message in caplog.messages if "usage is not recorded" in message]) == 1


@pytest.mark.parametrize("running", [False, True])
async def test_a_damaged_ledger_is_moved_aside_and_answers_go_on(running: bool, tmp_path: Path):
    file = tmp_path / "data" / "a.sqlite3"
    file.parent.mkdir(mode=0o700)
    if not running:
        file.write_bytes(b"no database" * 1000)
        file.chmod(0o600)
    async with daemon(store_file=file) as proxy, aiohttp.ClientSession() as session:
        await ask(session, proxy)
        await usage_of(session, proxy)
        if running:
            for each in (file, Path(f"{file}-wal")):
                each.write_bytes(b"no database" * 1000)
        for _ in range(3):
            await ask(session, proxy)
            await usage_of(session, proxy)
        found = await usage_of(session, proxy)
        assert (found["problem"], found["lost"]) == (None, 0)
    # SQLite notices damage when it reads a page, so one write may still have gone to the old file.
    assert len(rows_in(file)) >= (2 if running else 4)
    assert list(file.parent.glob("a.sqlite3.damaged-*"))


async def test_a_ledger_that_stays_away_loses_rows_and_says_how_many(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    monkeypatch.setattr(metering, "MAX_WAITING", 2)
    file = tmp_path / "data" / "a.sqlite3"
    file.mkdir(parents=True, mode=0o700)  # a directory where the file should be
    async with daemon(store_file=file) as proxy, aiohttp.ClientSession() as session:
        for _ in range(5):
            await ask(session, proxy)
        found = await usage_of(session, proxy)
        assert found["problem"].startswith("the store cannot be used")
        assert found["lost"] == 3
    assert caplog.messages[-1] == "5 requests are missing from the usage ledger"


class Process:
    """A daemon with the simulator, as a process of its own."""

    def __init__(self, *, file_size: int | None = None) -> None:
        program = "import sys; from claude_proxy.cli.main import main; sys.argv[0] = 'claude-proxy'; main()"
        if file_size is not None:
            program = f"import resource; resource.setrlimit(resource.RLIMIT_FSIZE, ({file_size},) * 2); {program}"
        command = [sys.executable, "-c", program, "serve", "--simulator", "--port", "0"]
        environ = {**os.environ, "PYTHONPATH": str(ROOT)}
        self.process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environ)
        assert self.process.stderr is not None
        self.log: list[str] = []
        for line in self.process.stderr:
            if found := re.search(r"listening on (http://\S+?),", line):
                self.url = found[1].replace("localhost", "127.0.0.1")
                break
        threading.Thread(target=self._read_log, daemon=True).start()

    def _read_log(self) -> None:
        assert self.process.stderr is not None
        self.log.extend(self.process.stderr)

    def get(self, path: str) -> Any:
        with urllib.request.urlopen(f"{self.url}{path}", timeout=30) as reply:
            return json.loads(reply.read())

    def ask(self) -> Any:
        request = urllib.request.Request(
            f"{self.url}/v1/chat/completions", json.dumps(ASK).encode(), {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=30) as reply:
            return json.loads(reply.read())

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        if self.process.stderr is not None:
            self.process.stderr.close()


@pytest.fixture
def started() -> Iterator[list[Process]]:
    started: list[Process] = []
    yield started
    for each in started:
        each.kill()


@pytest.mark.skipif(sys.platform == "win32", reason="resource limits are POSIX")
def test_on_a_full_disk_answers_go_on_and_status_says_that_usage_is_not_recorded(started: list[Process]):
    server = Process(file_size=150_000)
    started.append(server)
    for _ in range(200):
        assert server.ask()["choices"]
        server.get("/usage")
        usage = server.get("/status")["usage"]
        if usage["problem"]:
            break
    assert usage["problem"].startswith("the store cannot be used")
    assert server.ask()["choices"]
    assert server.get("/usage")["total"]["requests"] > 3  # what was recorded can be read


def test_a_daemon_that_is_killed_while_it_writes_leaves_a_whole_ledger(started: list[Process]):
    file = paths().store_file
    known = 0
    for round_ in range(4):
        server = Process()
        started.append(server)
        stop = threading.Event()

        def keep_asking(server: Process = server, stop: threading.Event = stop) -> None:
            while not stop.is_set():
                try:
                    server.ask()
                except (OSError, ValueError):  # it was killed
                    return

        threads = [threading.Thread(target=keep_asking) for _ in range(3)]
        for thread in threads:
            thread.start()
        for _ in range(3 + 2 * round_):
            server.get("/usage")  # each writes what has ended
        confirmed = server.get("/usage")["total"]["requests"]
        server.kill()
        stop.set()
        for thread in threads:
            thread.join()
        rows = rows_in(file)
        assert len(rows) >= confirmed >= known
        known = len(rows)
        assert all(row.status == 200 and row.output_tokens for row in rows)
        connection = sqlite3.connect(file)
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        connection.close()
    assert known > 20
    until(lambda: not [each for each in started if each.process.poll() is None])
