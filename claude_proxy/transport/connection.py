"""One HTTP/1.1 connection to upstream, one request at a time: what the socket brings goes to the reply at once.

    idle -> `ask` -> the head is awaited -> the body comes -> whole -> released: idle
                                                           -> anything else: closed, and never used again

aiohttp's client is two thirds of what a small request costs, and wakes a task for each read. This one has neither:
all the parts that one read completes are one call to the reply's sink. The parsing is llhttp's, strict, by httptools.
"""

import asyncio
from collections.abc import Callable
from typing import cast

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

from claude_proxy.errors import UpstreamDisconnected
from claude_proxy.transport.coalescing import WriteCoalescer
from claude_proxy.transport.reply import ConnectionLost, HTTPReply

# Of one reply. llhttp knows no bound of its own.
MAX_HEAD = 64 * 1024
# A body that is smaller leaves with its head, as one segment; a copy of a larger one costs more than it saves.
ONE_WRITE = 64 * 1024


class Connection(asyncio.Protocol):
    """`free` is told when a request is done and the next one may come, `lost` when there will be none."""

    def __init__(
        self,
        outbox: WriteCoalescer,
        *,
        free: "Callable[[Connection], None]",
        lost: "Callable[[Connection], None]",
    ) -> None:
        self._outbox = outbox
        self._free = free
        self._lost = lost
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._reply: HTTPReply | None = None
        self._usable = True  # for another request
        self._expecting = False  # a reply, or the rest of one
        self._interim = False  # 1xx: the reply itself is still to come
        self._until_end = False  # the body has no length of its own: it ends with the connection
        self._head_size = 0
        self._headers: dict[str, str] = {}
        self._parts: list[bytes] = []  # of the body, in the read that is being parsed
        self.on_body = self._parts.append  # called for every chunk of HTTP's chunked coding, so without a frame of ours
        self._parser = HttpResponseParser(self)
        self.idle_since = 0.0

    @property
    def is_open(self) -> bool:
        return self._usable and self._transport is not None and not self._transport.is_closing()

    async def ask(
        self, head: bytes, body: bytes | None, *, first_byte_timeout: float, read_timeout: float
    ) -> HTTPReply:
        """Send a request and wait for the head of its reply. Raises UpstreamError; the connection is closed then."""
        if self._transport is None:
            self._lost(self)  # once more: it may have been given out since
            raise ConnectionLost("upstream closed the connection before the request was sent")
        self._expecting = True
        self._head_size = 0
        reply = self._reply = HTTPReply(self, first_byte_timeout=first_byte_timeout, read_timeout=read_timeout)
        if body and len(body) > ONE_WRITE:
            self._transport.write(head)
            self._transport.write(body)
        else:
            self._outbox.put(self._transport, head + body if body else head, self._loop)
        try:
            await reply.begun()
        except BaseException:
            reply.close()
            raise
        return reply

    def close(self) -> None:
        """End it at once, whatever is under way."""
        self._usable = self._until_end = False  # an end that we make is not the end of a body
        if self._transport is not None:
            self._transport.abort()

    # ------------------------------------------------------------------------------------------ a reply's line

    def hold(self) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.pause_reading()

    def go_on(self) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.resume_reading()

    def release(self) -> None:
        if self._reply is None:
            return
        self._reply = None
        # Upstream may answer before it has the whole request; the rest of that must not become the next one.
        if self._expecting or not self.is_open or self._unsent():
            self.close()
        else:
            self._free(self)

    def _unsent(self) -> bool:
        return self._transport is not None and self._transport.get_write_buffer_size() > 0

    # ------------------------------------------------------------------------------------- asyncio's callbacks

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is none of asyncio's classes

    def data_received(self, data: bytes) -> None:
        reply, parts = self._reply, self._parts
        if reply is None:  # nobody has asked for anything
            self.close()
            return
        if reply.whole:
            self._usable = False
            return
        error = None
        try:
            self._parser.feed_data(data)  # calls `on_…` below
        except (HttpParserError, HttpParserUpgrade):  # also bytes behind the end of a reply
            self._usable = False
            error = UpstreamDisconnected("upstream sent what is not HTTP")
        if parts:
            body = parts[0] if len(parts) == 1 else b"".join(parts)
            parts.clear()
            reply.arrived(body)
        if not self._expecting:
            reply.end()
        elif error is not None or not reply.status:
            self._refuse(reply, error, len(data))

    def connection_lost(self, exc: Exception | None) -> None:
        self._usable = False
        self._transport = None
        self._lost(self)
        reply = self._reply
        if reply is None or not self._expecting:
            return
        if not reply.status:
            reply.fail(ConnectionLost("upstream closed the connection before the end of its reply"))
        elif self._until_end and exc is None:
            self._expecting = False
            reply.end()
        else:
            reply.fail(UpstreamDisconnected("upstream closed the connection before the end of its reply"))

    def _refuse(self, reply: HTTPReply, error: UpstreamDisconnected | None, size: int) -> None:
        """See to a read of `size` bytes that is not HTTP, or within a head that has no end yet."""
        self._head_size += size
        if error is None and self._head_size > MAX_HEAD:
            error = UpstreamDisconnected("upstream sent a reply whose head is too large")
        if error is not None:
            reply.fail(error)
            self.close()

    # ------------------------------------------------------------------------------------- httptools' callbacks

    def on_message_begin(self) -> None:
        if not self._expecting:
            raise HttpParserError("a reply that nobody has asked for")
        self._headers = {}

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        status = self._parser.get_status_code()
        self._interim = status < 200
        if self._interim or self._reply is None:
            return
        headers, self._headers = self._headers, {}  # what else comes are trailers
        self._until_end = "transfer-encoding" not in headers and "content-length" not in headers
        self._reply.begin(status, headers)

    def on_message_complete(self) -> None:
        if self._interim:
            return
        self._expecting = False
        self._usable = self._usable and self._parser.should_keep_alive()
