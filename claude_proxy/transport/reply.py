"""An HTTP answer as a Reply: its body goes to a sink straight from the socket's callback, as it comes.

    awaited -> begun -> ended
           \\-> failed <-/

While a sink is attached each part goes to it at once. While none is, or the sink asked for a pause, parts wait here;
past a bound the connection is not read any further.
"""

import asyncio
import zlib
from collections.abc import Mapping
from types import TracebackType
from typing import Protocol, Self

from claude_proxy.errors import UpstreamDisconnected, UpstreamTimeout
from claude_proxy.transport.sink import Sink, Wait

# What waits for a sink, before upstream is held back: as much as asyncio reads at once.
MAX_WAITING = 256 * 1024
# `read` is for errors, lists and counts; an answer goes to a sink, and nothing of it is kept.
MAX_READ = 16 * 1024 * 1024


class ConnectionLost(UpstreamDisconnected):
    """The connection ended by itself. Before a reply has begun this is the one failure that may be no one's fault."""


class Line(Protocol):
    """The connection that a reply comes over."""

    def hold(self) -> None:
        """Read nothing more for now."""

    def go_on(self) -> None: ...

    def release(self) -> None:
        """The reply is done with: a whole one leaves the connection to the next request, any other closes it."""


class HTTPReply:
    """A Reply that its connection fills, by `begin`, `arrived`, `end` and `fail`.

    Until it has begun it may stay silent for `first_byte_timeout` seconds, from then on for `read_timeout`.
    """

    def __init__(self, line: Line, *, first_byte_timeout: float, read_timeout: float) -> None:
        self.status = 0
        self.headers: Mapping[str, str] = {}
        self._line: Line | None = line  # until the reply is closed
        self._loop = asyncio.get_running_loop()
        self._patience = first_byte_timeout
        self._read_timeout = read_timeout
        self._parts: list[bytes] = []  # what has arrived and nobody has taken
        self._size = 0
        self._held = False
        self._sink: Sink | None = None
        self._pause: Wait | None = None
        self.whole = False  # the body has come to its end
        self._error: Exception | None = None
        self._inflater: zlib._Decompress | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._heard = self._loop.time()
        # One timer serves the whole reply. It is set again when it fires, not with each part.
        self._timer = self._loop.call_at(self._heard + first_byte_timeout, self._look)

    @property
    def ended(self) -> bool:
        return self.whole and not self._parts

    # ------------------------------------------------------------------------------------ its connection's side

    def begin(self, status: int, headers: Mapping[str, str]) -> None:
        """The head has come. A coding that nobody asked for and nobody can undo is a failure."""
        match headers.get("content-encoding", "identity").lower():
            case "identity":
                pass
            case "gzip" | "x-gzip" | "deflate":
                self._inflater = zlib.decompressobj(wbits=32 + zlib.MAX_WBITS)  # finds out by itself which one
            case _:
                self.fail(UpstreamDisconnected("upstream used a content coding that nobody asked for"))
                return
        self.status, self.headers = status, headers
        self._heard = self._loop.time()
        if self._read_timeout < self._patience:
            self._timer.cancel()
            self._timer = self._loop.call_at(self._heard + self._read_timeout, self._look)
        self._patience = self._read_timeout
        self._wake()

    def arrived(self, data: bytes) -> None:
        """More of the body has come."""
        if self._error is not None:
            return
        self._heard = self._loop.time()
        if self._inflater is not None:
            try:
                data = self._inflater.decompress(data)
            except zlib.error:
                self.fail(UpstreamDisconnected("upstream sent a compressed body that is broken"))
                return
            if not data:
                return
        sink = self._sink
        if sink is None:
            self._keep(data)
            return
        try:
            self._pause = sink.feed(data)
            if self._pause is None and not sink.over:
                return
        except Exception as exc:  # noqa: BLE001 - it is raised where the reply is read
            self._error = exc
        self._sink = None
        self._wake()

    def end(self) -> None:
        """The body is whole."""
        if self._inflater is not None and not self._inflater.eof:
            self.fail(UpstreamDisconnected("upstream sent a compressed body that is broken"))
            return
        self.whole = True
        self._timer.cancel()
        self._wake()

    def fail(self, error: Exception) -> None:
        """Nothing more will come. What has come before is taken first."""
        if not self.whole and self._error is None:
            self._error = error
        self._timer.cancel()
        self._wake()

    # --------------------------------------------------------------------------------------- its reader's side

    async def begun(self) -> None:
        """Wait for the head. Raises UpstreamError if none comes."""
        while not self.status and self._error is None:
            await self._wait()
        if not self.status and self._error is not None:
            raise self._error

    async def feed(self, sink: Sink) -> None:
        while True:
            while self._parts and not sink.over:
                if (wait := sink.feed(self._taken())) is not None:
                    await wait()
            if sink.over:
                return
            if self._error is not None:
                raise self._error
            if self.whole:
                return
            self._sink = sink
            try:
                await self._wait()
            finally:
                self._sink = None
            if (pause := self._pause) is not None:
                self._pause = None
                await pause()

    async def read(self) -> bytes:
        body = _Body()
        await self.feed(body)
        return b"".join(body.parts)

    def close(self) -> None:
        """End the reply: a whole one gives its connection back, any other closes it at once."""
        self._timer.cancel()
        line, self._line = self._line, None
        if line is not None:
            line.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # ------------------------------------------------------------------------------------------------- within

    def _keep(self, data: bytes) -> None:
        self._parts.append(data)
        self._size += len(data)
        if self._size > MAX_WAITING and not self._held and self._line is not None:
            self._held = True
            self._line.hold()

    def _taken(self) -> bytes:
        """What has waited, as one part."""
        data = self._parts[0] if len(self._parts) == 1 else b"".join(self._parts)
        self._parts.clear()
        self._size = 0
        return data

    async def _wait(self) -> None:
        """Until something has happened that the reader must see to."""
        if self._held and self._line is not None:
            self._held = False
            self._line.go_on()
        if self.status:
            self._heard = self._loop.time()  # silence that nobody listened to was no silence
        self._waiter = self._loop.create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _look(self) -> None:
        """Find out whether the reply has been silent for too long."""
        now = self._loop.time()
        reading = self._waiter is not None
        due = (self._heard if reading else now) + self._patience
        if now < due:
            self._timer = self._loop.call_at(due, self._look)
        elif self.status:
            self.fail(UpstreamTimeout("upstream stayed silent for too long"))
        else:
            self.fail(UpstreamTimeout(f"upstream has not begun to answer within {self._patience:g} s"))


class _Body:
    """A sink that keeps everything, up to a bound."""

    over = False

    def __init__(self) -> None:
        self.parts: list[bytes] = []
        self._size = 0

    def feed(self, data: bytes) -> None:
        self._size += len(data)
        if self._size > MAX_READ:
            raise UpstreamDisconnected("upstream sent a reply that is too large")
        self.parts.append(data)
