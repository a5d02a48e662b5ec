"""kill -9 at any moment, and a disk without space: what was confirmed is there, whole, and can be read."""

import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from claude_proxy.errors import StoreError
from claude_proxy.store.store import Store
from tests.store.conftest import response

ROOT = Path(__file__).parents[2]

# Writes responses with events and conversation items until it is killed; prints the number of each that is confirmed.
WRITER = """
import asyncio, sys
from pathlib import Path
from claude_proxy.store.conversations import Conversation
from claude_proxy.store.paging import Item
from claude_proxy.store.responses import StoredResponse
from claude_proxy.store.store import Limits, Store

async def write(store, first, step):
    for number in range(first, 10**9, step):
        text = b'"%s"' % (b"%d " % number * 3000)
        await store.responses.put(
            StoredResponse(
                f"resp_{number}", number, "completed", b'{"output":[' + text + b']}', b'[' + text + b']', "conv_1"
            ),
            [Item(f"in_{number}", text), Item(f"out_{number}", text)],
        )
        if number % 3 == 0:
            await store.responses.delete(f"resp_{number}")
        sys.stdout.write(f"{number}\\n")
        sys.stdout.flush()

async def main():
    store = Store(Path(sys.argv[1]), Limits(max_size=64 * 1024 * 1024))
    first = int(sys.argv[2])
    if first == 0:
        await store.conversations.create(Conversation("conv_1", 0, b"{}"))
    await asyncio.gather(*(write(store, first + each, 4) for each in range(4)))

asyncio.run(main())
"""


def writer(file: Path, first: int) -> "subprocess.Popen[str]":
    command = [sys.executable, "-c", WRITER, str(file), str(first)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": str(ROOT)})


def killed_writer(file: Path, first: int, lines: int) -> list[int]:
    """Let a process write, and kill it some time after its line number `lines`; returns what it has confirmed."""
    process = writer(file, first)
    assert process.stdout is not None
    confirmed = [int(process.stdout.readline()) for _ in range(lines)]
    process.send_signal(signal.SIGKILL)
    rest = process.communicate()[0]
    return confirmed + [int(line) for line in rest.splitlines(keepends=True) if line.endswith("\n")]


def check_everything_is_whole(file: Path, confirmed: list[int]) -> None:
    connection = sqlite3.connect(file)
    assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    rows: dict[str, tuple[bytes, bytes]] = {
        row[0]: row[1:] for row in connection.execute("SELECT id, body, input FROM responses")
    }
    items = [name for (name,) in connection.execute("SELECT id FROM conversation_items")]
    connection.close()
    for name, (body, given) in rows.items():
        text = f"{name.removeprefix('resp_')} " * 3000
        assert json.loads(body) == {"output": [text]}
        assert json.loads(given) == [text]
        assert f"in_{name[5:]}" in items
    # A response and its items are there together or not at all.
    assert {name[3:] for name in items if name.startswith("in_")} == {
        name[4:] for name in items if name.startswith("out_")
    }
    assert {f"resp_{number}" for number in confirmed if number % 3} <= rows.keys()
    assert not {f"resp_{number}" for number in confirmed if number % 3 == 0} & rows.keys()


def test_a_process_that_is_killed_leaves_everything_it_has_confirmed(file: Path):
    confirmed: list[int] = []
    chance = random.Random(7)
    for _ in range(8):
        first = (max(confirmed) // 4 + 100) * 4 if confirmed else 0
        confirmed += killed_writer(file, first, chance.randrange(1, 25))
        check_everything_is_whole(file, confirmed)
    assert len(confirmed) > 20


# RLIMIT_FSIZE stands for a disk without space: no file may grow beyond it.
FULL = """
import asyncio, json, resource, sys
from pathlib import Path
from claude_proxy.errors import StoreError
from claude_proxy.store.responses import StoredResponse
from claude_proxy.store.store import Store

async def main():
    store = Store(Path(sys.argv[1]))
    await store.open()
    resource.setrlimit(resource.RLIMIT_FSIZE, (2_000_000, 2_000_000))
    put, failed = [], []
    for number in range(60):
        try:
            body = b'{"text":"' + b"x" * 99_991 + b'"}'
            await store.responses.put(StoredResponse(f"resp_{number}", number, "completed", body))
            put.append(f"resp_{number}")
        except StoreError as exc:
            failed.append(exc.message)
    readable = [each.id for each in await store.responses.newest(100)]
    whole = [len((await store.responses.get(name)).body) for name in put]
    print(json.dumps({"put": put, "failed": failed, "readable": readable[::-1], "whole": whole}))
    await store.close()

asyncio.run(main())
"""


@pytest.mark.skipif(sys.platform == "win32", reason="resource limits are POSIX")
def test_a_full_disk_fails_writes_with_an_error_and_reading_goes_on(file: Path):
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", FULL, str(file)], capture_output=True, text=True, check=True, timeout=60, env=environ
    )
    said: dict[str, Any] = json.loads(done.stdout)
    assert len(said["put"]) > 5
    assert len(said["failed"]) > 5
    assert all(message.startswith("the store cannot be used: ") for message in said["failed"])
    assert said["readable"] == said["put"]
    assert set(said["whole"]) == {100_002}


async def test_after_a_full_disk_has_space_again_writes_go_on(store: Store):
    def bound(pages: int):
        return lambda connection: connection.execute(f"PRAGMA max_page_count = {pages}").fetchall()

    await store.responses.put(response(1))
    await store.write(bound(40))
    with pytest.raises(StoreError) as caught:
        await store.responses.put(response(2, input=b"x" * 1_000_000))
    assert caught.value.code == "store_full"
    assert await store.responses.get("resp_1") == response(1)
    await store.write(bound(1_000_000))
    await store.responses.put(response(2))
    assert await store.responses.get("resp_2") == response(2)
