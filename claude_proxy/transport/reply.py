"""An HTTP reply: its body goes to a sink directly from the socket's callback.

    waiting for the head -> receiving -> complete
                         \\-> failed <-/

While a sink is attached it gets each part at once. While none is, or while it asked to wait, parts are buffered here;
above MAX_BUFFERED bytes reading from the connection is paused. A compressed body, which is never requested, always
goes through the buffer: the reader inflates it in bounded parts.
"""

import asyncio
from collections.abc import Mapping
from types import TracebackType
from typing import Protocol, Self

from claude_proxy.errors import UpstreamDisconnected, UpstreamTimeout
from claude_proxy.transport.inflate import Inflater
from claude_proxy.transport.sink import Sink, Wait

MAX_BUFFERED = 256 * 1024  # bytes for a sink that is not ready; asyncio reads as much at once
# `read` is for errors, lists and counts; answers go to a sink, and nothing of them is kept.
MAX_READ = 16 * 1024 * 1024


class ConnectionLost(UpstreamDisconnected):
    """The connection was closed by the peer or the network. Before the head of a reply a retry may succeed."""


class ReplyConnection(Protocol):
    """What a reply needs of the connection that receives it."""

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...

    def release(self) -> None:
        """The reply is closed: after a complete one the connection may be reused, otherwise it is closed."""


class HTTPReply:
    """A Reply. Its connection fills it by `begin`, `receive`, `finish` and `fail`.

    It times out after `first_byte_timeout` seconds without a head, and then after `read_timeout` seconds of silence.
    """

    def __init__(self, connection: ReplyConnection, *, first_byte_timeout: float, read_timeout: float) -> None:
        self.status = 0
        self.headers: Mapping[str, str] = {}
        self._connection: ReplyConnection | None = connection  # until the reply is closed
        self._loop = asyncio.get_running_loop()
        self._timeout = first_byte_timeout
        self._read_timeout = read_timeout
        self._parts: list[bytes] = []  # received and not read yet
        self._size = 0
        self._paused = False
        self._sink: Sink | None = None
        self._sink_wait: Wait | None = None
        self.complete = False  # the whole body has been received
        self._error: Exception | None = None
        self._inflater: Inflater | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._last_activity = self._loop.time()
        # One timer for the whole reply. It is rescheduled when it fires, not for each part.
        self._timer = self._loop.call_at(self._last_activity + first_byte_timeout, self._check_silence)

    @property
    def ended(self) -> bool:
        return self.complete and not self._parts and (self._inflater is None or self._inflater.needs_input)

    # ----------------------------------------------------------------------------- called by its connection

    def begin(self, status: int, headers: Mapping[str, str]) -> None:
        """The head has been received. Fails the reply if its content coding is not supported."""
        match headers.get("content-encoding", "identity").lower():
            case "identity":
                pass
            case "gzip" | "x-gzip" | "deflate":
                self._inflater = Inflater()
            case _:
                self.fail(UpstreamDisconnected("upstream used a content coding that was not requested"))
                return
        self.status, self.headers = status, headers
        self._last_activity = self._loop.time()
        if self._read_timeout < self._timeout:
            self._timer.cancel()
            self._timer = self._loop.call_at(self._last_activity + self._read_timeout, self._check_silence)
        self._timeout = self._read_timeout
        self._wake()

    def receive(self, data: bytes) -> None:
        """More of the body has been received."""
        if self._error is not None:
            return
        self._last_activity = self._loop.time()
        sink = self._sink
        if sink is None:
            self._buffer(data)
            if self._inflater is not None:
                self._wake()
            return
        try:
            self._sink_wait = sink.feed(data)
            if self._sink_wait is None and not sink.over:
                return
        except Exception as exc:  # noqa: BLE001 - it is raised where the reply is read
            self._error = exc
        self._sink = None
        self._wake()

    def finish(self) -> None:
        """The whole body has been received."""
        self.complete = True
        self._timer.cancel()
        self._wake()

    def fail(self, error: Exception) -> None:
        """Nothing more will be received. The reader gets what is buffered, then `error`."""
        if not self.complete and self._error is None:
            self._error = error
        self._timer.cancel()
        self._wake()

    # --------------------------------------------------------------------------------- called by its reader

    async def wait_for_head(self) -> None:
        """Wait for the head. Raises UpstreamError if none is received."""
        while not self.status and self._error is None:
            await self._wait()
        if not self.status and self._error is not None:
            raise self._error

    async def pipe_to(self, sink: Sink) -> None:
        while True:
            while (self._parts or self._inflater is not None) and not sink.over and (data := self._take()):
                if (wait := sink.feed(data)) is not None:
                    await wait()
            if sink.over:
                return
            if self._error is not None:
                raise self._error
            if self.complete:
                if self._inflater is not None and not self._inflater.is_complete:
                    raise UpstreamDisconnected("upstream sent a compressed body that is broken")
                return
            self._sink = sink if self._inflater is None else None
            try:
                await self._wait()
            finally:
                self._sink = None
            if (sink_wait := self._sink_wait) is not None:
                self._sink_wait = None
                await sink_wait()

    async def read(self) -> bytes:
        body = _Body()
        await self.pipe_to(body)
        return b"".join(body.parts)

    def close(self) -> None:
        """Release the connection: after a complete reply it may be reused, otherwise it is closed at once."""
        self._timer.cancel()
        self._error = None  # once raised it refers to a frame that refers to this reply
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # ------------------------------------------------------------------------------------------------- private

    def _buffer(self, data: bytes) -> None:
        self._parts.append(data)
        self._size += len(data)
        if self._size > MAX_BUFFERED and not self._paused and self._connection is not None:
            self._paused = True
            self._connection.pause_reading()

    def _take(self) -> bytes:
        """The next part for a sink; empty if nothing is buffered."""
        if (inflater := self._inflater) is None:
            return self._take_buffered()
        while True:
            if inflater.needs_input:
                if not (data := self._take_buffered()):
                    return b""
                inflater.put(data)
            if part := inflater.next_part():
                return part

    def _take_buffered(self) -> bytes:
        """Everything that is buffered, as one part."""
        data = self._parts[0] if len(self._parts) == 1 else b"".join(self._parts)
        self._parts.clear()
        self._size = 0
        return data

    async def _wait(self) -> None:
        """Wait until the reader has something to do."""
        if self._paused and self._connection is not None:
            self._paused = False
            self._connection.resume_reading()
        if self.status:
            self._last_activity = self._loop.time()  # time spent paused does not count towards the timeout
        self._waiter = self._loop.create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _check_silence(self) -> None:
        """Fail the reply if a reader has waited for longer than the timeout; else schedule the next check."""
        now = self._loop.time()
        reading = self._waiter is not None
        due = (self._last_activity if reading else now) + self._timeout
        if now < due:
            self._timer = self._loop.call_at(due, self._check_silence)
        elif self.status:
            self.fail(UpstreamTimeout("upstream sent nothing for too long"))
        else:
            self.fail(UpstreamTimeout(f"upstream has not begun to answer within {self._timeout:g} s"))


class _Body:
    """A sink that keeps the whole body, up to MAX_READ bytes."""

    over = False

    def __init__(self) -> None:
        self.parts: list[bytes] = []
        self._size = 0

    def feed(self, data: bytes) -> None:
        self._size += len(data)
        if self._size > MAX_READ:
            raise UpstreamDisconnected("upstream sent a reply that is too large")
        self.parts.append(data)
