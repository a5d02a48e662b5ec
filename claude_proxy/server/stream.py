"""A stream of events to an HTTP client: each part of upstream's reply is written in the call in which it came."""

import asyncio
from collections.abc import Callable, Mapping
from types import TracebackType

from aiohttp import HttpVersion11, web

from claude_proxy.dialects.base import StreamedChoice, StreamEvents
from claude_proxy.server.exchange import EXCHANGE
from claude_proxy.server.failures import failure_of
from claude_proxy.server.headers import header_safe
from claude_proxy.server.state import STATE
from claude_proxy.translate.reply import ReplyReader
from claude_proxy.transport.sink import Sink, Wait

_HEADERS = {
    "Content-Type": "text/event-stream; charset=utf-8",
    "Cache-Control": "no-cache",
    "X-Accel-Buffering": "no",  # nginx and similar proxies then pass each event on at once
}

Transform = Callable[[bytes], bytes]


class FrameSink:
    """A Sink that writes to a client's connection what `transform` makes of each part; without one, the part itself.

    aiohttp's own `write` is a coroutine: it needs a task to run in, and a task for each read is half of what a paced
    stream costs. So frames go to the transport directly, in the chunked coding that aiohttp has announced and ends,
    together with those of other streams at the end of the loop's iteration.
    """

    __slots__ = ("_chunk", "_coalescer", "_drain", "_loop", "_protocol", "_reader", "_transform", "_transport", "wrote")

    def __init__(
        self,
        request: web.Request,
        drain: Wait,
        *,
        chunked: bool,
        reader: ReplyReader | None = None,
        transform: Transform | None = None,
    ) -> None:
        if request.transport is None:
            raise ConnectionResetError("the client has left")
        self._transport: asyncio.Transport = request.transport
        self._protocol = request.protocol
        self._drain = drain
        self._coalescer = request.app[STATE].coalescer
        self._chunk = b"%x\r\n%b\r\n" if chunked else None
        self._reader = reader
        self._transform = transform
        self._loop = asyncio.get_running_loop()
        self.wrote = self._loop.time()  # when something was written last

    @property
    def over(self) -> bool:
        reader = self._reader
        return reader is not None and reader.over

    def feed(self, data: bytes) -> Wait | None:
        """Write what `data` gives. What this returns, if anything, must be awaited before the next call.

        Raises ConnectionResetError when the client has left.
        """
        if self._transform is not None:
            data = self._transform(data)
            if not data:
                return None
        transport = self._transport
        if transport.is_closing():
            raise ConnectionResetError("the client has left")
        self.wrote = self._loop.time()
        self._coalescer.put(transport, data if self._chunk is None else self._chunk % (len(data), data), self._loop)
        return self._drain if self._protocol.writing_paused else None


class EventStream(web.StreamResponse):
    """A reply of whole frames. Its content comes by one sink for each choice of the answer.

    A client that has received nothing for `keepalive` seconds gets `events.keepalive()`; 0 never sends one.
    """

    def __init__(self, headers: Mapping[str, str], events: StreamEvents, keepalive: float = 0.0) -> None:
        super().__init__(headers=headers)
        self.headers.update(_HEADERS)
        self._events = events
        self._keepalive = keepalive
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None

    async def begin(self, request: web.Request) -> None:
        """Send the head."""
        self._is_chunked = request.version == HttpVersion11
        if self._is_chunked:
            self.enable_chunked_encoding()
        writer = await self.prepare(request)
        if writer is None:
            raise ConnectionResetError("the client has left")
        self._request = request
        self._drain: Wait = writer.drain
        self._own = FrameSink(request, self._drain, chunked=self._is_chunked)
        self._sinks = [self._own]
        if self._keepalive:
            self._timer = self._loop.call_at(self._own.wrote + self._keepalive, self._look)

    def sink(self, choice: StreamedChoice) -> Sink:
        """A sink that writes upstream's reply as `choice` translates it."""
        return self._add(choice.feed, choice.reader)

    def passing(self, watch: Transform) -> Sink:
        """A sink that writes what `watch` returns of each part."""
        return self._add(watch, None)

    def _add(self, transform: Transform, reader: ReplyReader | None) -> Sink:
        sink = FrameSink(self._request, self._drain, chunked=self._is_chunked, reader=reader, transform=transform)
        self._sinks.append(sink)
        return sink

    def feed(self, data: bytes) -> Wait | None:
        """Write whole frames, as a sink does."""
        return self._own.feed(data)

    async def write(self, data: bytes | bytearray | memoryview) -> None:
        """As `feed`, at once, and wait while the client reads slowly."""
        if data:
            self._own.feed(bytes(data))
        self._request.app[STATE].coalescer.flush()
        if self._request.protocol.writing_paused:
            await self._drain()

    async def end(self, last: bytes = b"") -> None:
        """End the reply, with `last` as its last frames."""
        self.stop()
        self._request.app[STATE].coalescer.flush()
        await self.write_eof(last)

    def stop(self) -> None:
        """Send no more keep-alive frames."""
        if self._timer is not None:
            self._timer.cancel()

    def _look(self) -> None:
        """Send a keep-alive frame if the client has received nothing for long; one timer serves the whole stream."""
        transport = self._request.transport
        if transport is None or transport.is_closing():
            return
        if self._silent_since() + self._keepalive <= self._loop.time() and not self._request.protocol.writing_paused:
            self._own.feed(self._events.keepalive())
        due = max(self._silent_since() + self._keepalive, self._loop.time() + self._keepalive / 10)
        self._timer = self._loop.call_at(due, self._look)

    def _silent_since(self) -> float:
        return max(sink.wrote for sink in self._sinks)


class open_stream:  # noqa: N801 - read as a function: `async with open_stream(request) as client`
    """Begin a stream of events; return what this yields from the endpoint. An exception inside becomes its last event.

    `events` are the frames beside the content; without them, those of the route's dialect.

    It is a class, not an `asynccontextmanager`: in Python 3.13 the exception's traceback reaches the frame of
    contextlib's `__aexit__`, which refers to the exception, and so keeps the whole request alive in a cycle.
    """

    def __init__(
        self,
        request: web.Request,
        headers: Mapping[str, str] | None = None,
        *,
        events: StreamEvents | None = None,
        keepalive: float = 0.0,
    ) -> None:
        self._request = request
        self._frames = events or request[EXCHANGE].dialect
        self._stream = EventStream(header_safe(headers or {}), self._frames, keepalive)

    async def __aenter__(self) -> EventStream:
        await self._stream.begin(self._request)
        return self._stream

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        last = b""
        try:
            if exc is not None:
                error = failure_of(self._request, exc)
                if error is None:
                    return False
                last = self._frames.error_event(error, self._request[EXCHANGE].id)
        finally:
            self._stream.stop()
        await self._stream.end(last)
        return True
