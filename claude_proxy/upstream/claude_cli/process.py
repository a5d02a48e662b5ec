"""One process of the Claude CLI: lines to its input, lines from its output, and its end.

A process is killed, with its group, as soon as it is not needed any more: its own end would take longer, and it would
go on with further requests. What it wrote to stderr is kept in part, for the log.
"""

import asyncio
import contextlib
import logging
import os
import signal
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Protocol, cast

from claude_proxy.errors import UpstreamUnreachable
from claude_proxy.redaction import redactor
from claude_proxy.upstream.claude_cli.lifeline import Lifeline

log = logging.getLogger(__name__)

MAX_LINE = 64 * 1024 * 1024  # bytes; one line holds a whole message of the model's, or a tool's input
MAX_STDERR = 4096
END_TIMEOUT = 5.0  # seconds from SIGKILL to the end; the kernel takes longer only while a disk hangs


class LineConsumer(Protocol):
    """Gets what a process writes."""

    def on_line(self, line: bytes) -> None: ...

    def on_exit(self, code: int | None, stderr: str) -> None:
        """The process has ended, or its output has; nothing more will come."""


class Process(asyncio.SubprocessProtocol):
    """A running process. Without a consumer its lines are dropped."""

    def __init__(self, lifeline: Lifeline) -> None:
        self.pid = 0
        self.consumer: LineConsumer | None = None
        self.on_ended: Callable[[], None] = lambda: None
        self._lifeline = lifeline
        self._transport: asyncio.SubprocessTransport | None = None
        self._parts: list[bytes] = []  # of the line that is not complete
        self._size = 0
        self._stderr = b""
        self._output_ended = False
        self._paused = False
        self._timer: asyncio.TimerHandle | None = None
        self._ended = asyncio.get_running_loop().create_future()

    @classmethod
    async def start(cls, command: list[str], *, environ: Mapping[str, str], cwd: Path, lifeline: Lifeline) -> "Process":
        """Start `command`, whose first element is an absolute path. Raises UpstreamUnreachable."""
        loop = asyncio.get_running_loop()
        try:
            transport, process = await loop.subprocess_exec(
                lambda: cls(lifeline),
                *lifeline.command(command),
                env=dict(environ),
                cwd=cwd,
                start_new_session=True,
            )
        except OSError as exc:
            raise UpstreamUnreachable(f"the Claude CLI could not be started: {exc.strerror}") from None
        process._transport = transport
        process.pid = transport.get_pid() or 0
        await lifeline.started(process.pid)
        return process

    @property
    def is_alive(self) -> bool:
        return not self._ended.done() and not self._output_ended

    @property
    def has_ended(self) -> bool:
        return bool(self._ended.done())

    def write(self, lines: Iterable[bytes]) -> None:
        """Write lines, each without its line break."""
        if self._transport is None or not self.is_alive:
            return
        pipe = cast("asyncio.WriteTransport | None", self._transport.get_pipe_transport(0))
        if pipe is not None and not pipe.is_closing():
            pipe.write(b"".join([line + b"\n" for line in lines]))

    def pause_reading(self) -> None:
        pipe = self._output()
        if pipe is not None and not self._paused and not pipe.is_closing():
            self._paused = True
            pipe.pause_reading()

    def resume_reading(self) -> None:
        pipe = self._output()
        if pipe is not None and self._paused and not pipe.is_closing():
            self._paused = False
            pipe.resume_reading()

    def end(self, *, after: float = 0.0) -> None:
        """Kill the process and what it has started, at once or `after` so many seconds. Its lines are dropped."""
        self.consumer = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._ended.done():
            return
        if after:
            self.resume_reading()  # or it would wait for ever with a full pipe
            self._timer = asyncio.get_running_loop().call_later(after, self.end)
            return
        with contextlib.suppress(OSError):  # it has ended by itself
            os.killpg(self.pid, signal.SIGKILL)

    async def ended(self) -> None:
        """Wait for the end of a process that was killed."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(asyncio.shield(self._ended), END_TIMEOUT)

    # ------------------------------------------------------------------------------ called by the event loop

    def pipe_data_received(self, fd: int, data: bytes | str) -> None:
        data = cast("bytes", data)
        if fd == 2:
            self._stderr = (self._stderr + data)[-MAX_STDERR:]
            return
        head, found, rest = data.rpartition(b"\n")
        if not found:
            self._keep(data)
            return
        whole = b"".join([*self._parts, head])
        self._parts, self._size = [], 0
        for line in whole.split(b"\n"):
            if line and self.consumer is not None:
                self.consumer.on_line(line)
        if rest:
            self._keep(rest)

    def pipe_connection_lost(self, fd: int, exc: Exception | None) -> None:
        if fd == 1:
            self._output_ended = True
            if self._ended.done():
                self._report_exit()

    def process_exited(self) -> None:
        self._lifeline.ended(self.pid)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if not self._ended.done():
            self._ended.set_result(None)
            self.on_ended()
        if self._output_ended:
            self._report_exit()
        else:  # what is in the pipe comes first; what it has started may hold the pipe open for longer
            asyncio.get_running_loop().call_later(0.5, self._report_exit)

    def _report_exit(self) -> None:
        consumer, self.consumer = self.consumer, None
        if self._transport is not None:
            code = self._transport.get_returncode()
            self._transport.close()
        else:
            code = None
        if consumer is not None:
            consumer.on_exit(code, redactor.redact(self._stderr.decode("utf-8", "replace")).strip())

    def _keep(self, data: bytes) -> None:
        self._parts.append(data)
        self._size += len(data)
        if self._size > MAX_LINE:
            log.warning("the Claude CLI wrote a line of more than %d bytes; it is ended", MAX_LINE)
            self._parts, self._size = [], 0
            with contextlib.suppress(OSError):
                os.killpg(self.pid, signal.SIGKILL)

    def _output(self) -> asyncio.ReadTransport | None:
        if self._transport is None:
            return None
        return cast("asyncio.ReadTransport | None", self._transport.get_pipe_transport(1))
