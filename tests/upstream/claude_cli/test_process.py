"""One process, played by small programs."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from claude_proxy.errors import UpstreamUnreachable
from claude_proxy.upstream.claude_cli import process as module
from claude_proxy.upstream.claude_cli.lifeline import KernelLifeline, Lifeline, WatchdogLifeline, lifeline
from claude_proxy.upstream.claude_cli.process import Process


class Lines:
    """A consumer that keeps what it gets."""

    def __init__(self) -> None:
        self.lines: list[bytes] = []
        self.more = asyncio.Event()
        self.exit: asyncio.Future[tuple[int | None, str]] = asyncio.get_running_loop().create_future()

    def on_line(self, line: bytes) -> None:
        self.lines.append(line)
        self.more.set()

    def on_exit(self, code: int | None, stderr: str) -> None:
        self.exit.set_result((code, stderr))


@asynccontextmanager
async def running(program: str, line: Lifeline | None = None) -> AsyncIterator[tuple[Process, Lines]]:
    line = line or lifeline()
    command = [sys.executable, "-c", program]
    process = await Process.start(command, environ=os.environ, cwd=Path("/"), lifeline=line)
    lines = process.consumer = Lines()
    try:
        yield process, lines
    finally:
        process.end()
        await process.ended()
        await line.close()


ECHO = "import sys\nfor line in sys.stdin: print('got', line, end='', flush=True)"


@pytest.mark.parametrize("kind", [KernelLifeline, WatchdogLifeline])
async def test_lines_go_in_and_come_out(kind: type[KernelLifeline | WatchdogLifeline]) -> None:
    async with running(ECHO, kind()) as (process, lines):
        process.write([b"one", b"two"])
        while len(lines.lines) < 2:
            lines.more.clear()
            await asyncio.wait_for(lines.more.wait(), 10)
        assert lines.lines == [b"got one", b"got two"]
        assert process.is_alive


async def test_a_line_may_come_in_parts_and_two_at_once() -> None:
    program = (
        "import os, sys\nsys.stdin.readline()\nfor part in (b'on', b'e\\ntwo\\n\\nth', b'ree\\n'): os.write(1, part)"
    )
    async with running(program) as (process, lines):
        process.write([b"go"])
        await asyncio.wait_for(lines.exit, 10)
        assert lines.lines == [b"one", b"two", b"three"]


async def test_its_end_is_told_with_stderr_without_secrets() -> None:
    async with running("import sys\nsys.exit('broken sk-ant-api03-abcdefghij')") as (process, lines):
        assert await asyncio.wait_for(lines.exit, 10) == (1, "broken sk-ant-***")
        assert not process.is_alive
        process.write([b"ignored"])
        process.pause_reading()
        process.resume_reading()


async def test_end_kills_it_and_what_it_has_started() -> None:
    program = (
        "import subprocess, time\nchild = subprocess.Popen(['/bin/sleep', '60'])\nprint(child.pid, flush=True)\n"
        "time.sleep(60)"
    )
    async with running(program) as (process, lines):
        await asyncio.wait_for(lines.more.wait(), 10)
        child = int(lines.lines[0])
        process.end()
        await process.ended()
        assert process.has_ended
        async with asyncio.timeout(2):
            while Path(f"/proc/{child}").exists() and " Z " not in Path(f"/proc/{child}/stat").read_text():  # noqa: ASYNC240, ASYNC110
                await asyncio.sleep(0.01)
    assert not lines.exit.done()


async def test_end_can_be_delayed_and_then_happens_at_once() -> None:
    async with running(ECHO) as (process, _):
        process.end(after=60)
        assert not process.has_ended
        process.end()
        await process.ended()
        assert process.has_ended


async def test_a_delayed_end_happens_by_itself() -> None:
    async with running(ECHO) as (process, _):
        process.end(after=0.01)
        await process.ended()
        assert process.has_ended


async def test_while_reading_is_paused_it_waits() -> None:
    program = "import sys\nsys.stdin.readline()\nfor _ in range(100): print('x' * 65536)\nprint('done')"
    async with running(program) as (process, lines):
        process.pause_reading()
        process.write([b"go"])
        await asyncio.sleep(0)
        process.resume_reading()
        await asyncio.wait_for(lines.exit, 10)
        assert (len(lines.lines), lines.lines[-1]) == (101, b"done")


async def test_a_line_without_end_ends_it(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setattr(module, "MAX_LINE", 1000)
    async with running("import time\nprint('x' * 100_000, end='', flush=True)\ntime.sleep(60)") as (_, lines):
        code, _stderr = await asyncio.wait_for(lines.exit, 10)
        assert code == -9
    assert "more than 1000 bytes" in caplog.text


async def test_a_program_that_cannot_be_started_is_an_error() -> None:
    with pytest.raises(UpstreamUnreachable, match="could not be started"):
        await Process.start(["/nowhere/x"], environ={}, cwd=Path("/"), lifeline=WatchdogLifeline())
