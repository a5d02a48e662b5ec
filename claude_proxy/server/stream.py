"""A stream of events on its way out: what upstream says is written in the same breath, without a task in between."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from aiohttp import HttpVersion11, web

from claude_proxy.server.exchange import EXCHANGE, STATE
from claude_proxy.server.replies import error_event, header_safe, to_tell
from claude_proxy.transport.sink import Wait
from claude_proxy.wire.sse import COMMENT

_HEADERS = {
    "Content-Type": "text/event-stream; charset=utf-8",
    "Cache-Control": "no-cache",
    "X-Accel-Buffering": "no",  # nginx and its like pass each event on at once
}


class EventStream(web.StreamResponse):
    """A reply of whole frames, given by `feed` from wherever the loop stands; a Sink, if nothing is to be translated.

    aiohttp's own `write` is a coroutine: it needs a task to run in, and a task for each read is half of what a paced
    stream costs. So frames go to the transport directly, in the chunked coding that aiohttp has announced and ends,
    and with those of other streams at the end of the loop's turn.
    A client that hears nothing for `keepalive` seconds gets a comment; 0 never sends one.
    """

    over = False

    def __init__(self, headers: Mapping[str, str], keepalive: float = 0.0) -> None:
        super().__init__(headers=headers)
        self.headers.update(_HEADERS)
        self._keepalive = keepalive
        self._loop = asyncio.get_running_loop()
        self._wrote = 0.0  # when, last
        self._timer: asyncio.TimerHandle | None = None

    async def begin(self, request: web.Request) -> None:
        """Send the head."""
        chunked = request.version == HttpVersion11
        if chunked:
            self.enable_chunked_encoding()
        writer = await self.prepare(request)
        transport = request.transport
        if writer is None or transport is None:
            raise ConnectionResetError("the client has left")
        self._outbox = request.app[STATE].outbox
        self._transport = transport
        self._protocol = request.protocol
        self._drain: Wait = writer.drain
        self._frame = b"%x\r\n%b\r\n" if chunked else None
        self._wrote = self._loop.time()
        if self._keepalive:
            self._timer = self._loop.call_at(self._wrote + self._keepalive, self._look)

    def feed(self, data: bytes) -> Wait | None:
        """Take whole frames. What it returns, if anything, must be awaited before it is given more.

        Raises ConnectionResetError when the client has left.
        """
        transport = self._transport
        if transport.is_closing():
            raise ConnectionResetError("the client has left")
        self._wrote = self._loop.time()
        self._outbox.put(transport, data if self._frame is None else self._frame % (len(data), data), self._loop)
        return self._drain if self._protocol.writing_paused else None

    async def write(self, data: bytes | bytearray | memoryview) -> None:
        """As `feed`, at once, and wait while the client reads slowly."""
        self.feed(bytes(data))
        self._outbox.flush()
        if self._protocol.writing_paused:
            await self._drain()

    async def end(self, last: bytes = b"") -> None:
        """End the reply, with `last` as its last frames."""
        self.stop()
        self._outbox.flush()
        await self.write_eof(last)

    def stop(self) -> None:
        """Write no more comments."""
        if self._timer is not None:
            self._timer.cancel()

    def _look(self) -> None:
        """Write a comment if the client has heard nothing for long; one timer serves the whole stream."""
        if self._transport.is_closing():
            return
        if self._wrote + self._keepalive <= self._loop.time() and not self._protocol.writing_paused:
            self.feed(COMMENT)
        due = max(self._wrote + self._keepalive, self._loop.time() + self._keepalive / 10)
        self._timer = self._loop.call_at(due, self._look)


@asynccontextmanager
async def open_stream(
    request: web.Request, headers: Mapping[str, str] | None = None, *, keepalive: float = 0.0
) -> AsyncIterator[EventStream]:
    """Begin a stream of events; return what is yielded from the endpoint.

    Whatever is raised inside ends the stream with an error event.
    """
    exchange = request[EXCHANGE]
    stream = EventStream(header_safe(headers or {}), keepalive)
    await stream.begin(request)
    try:
        yield stream
    except BaseException as exc:  # noqa: BLE001 - `to_tell` raises again what is nobody's answer
        error = to_tell(request, exc)
        await stream.end(error_event(error, exchange.dialect, exchange.id))
    finally:
        stream.stop()
    await stream.end()
