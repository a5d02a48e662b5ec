"""One HTTP/1.1 client connection, one request at a time; received data goes to the reply without a task switch.

    idle -> `send_request` -> waiting for the head -> receiving the body -> complete -> released: idle
                                                                         -> anything else: closed, never reused

aiohttp's client takes two thirds of the CPU time of a small request, and wakes a task for each read. Here all parts
of the body that one read completes are one call of the reply's sink. The parser is llhttp in strict mode (httptools).
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

from claude_proxy.errors import UpstreamDisconnected
from claude_proxy.transport.coalescing import WriteCoalescer
from claude_proxy.transport.peer import is_foreign_server
from claude_proxy.transport.reply import ConnectionLost, HTTPReply

MAX_HEAD = 64 * 1024  # bytes of a reply's head; llhttp itself has no limit
# A smaller body is sent with its head in one segment; copying a larger one costs more than it saves.
MAX_JOINED_BODY = 64 * 1024


@dataclass(frozen=True)
class Timeouts:
    """Seconds: to the head of a reply, and of silence within its body."""

    first_byte: float
    read: float


class HTTP1Connection(asyncio.Protocol):
    """A connection of a pool, which gets `on_idle` when a reply is complete and `on_lost` when the connection ends."""

    def __init__(
        self,
        coalescer: WriteCoalescer,
        timeouts: Timeouts,
        *,
        on_idle: "Callable[[HTTP1Connection], None]",
        on_lost: "Callable[[HTTP1Connection], None]",
    ) -> None:
        self._coalescer = coalescer
        self._timeouts = timeouts
        self._on_idle = on_idle
        self._on_lost = on_lost
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._reply: HTTPReply | None = None
        self._reusable = True
        self._receiving = False  # a reply, or the rest of one, is still to come
        self._interim = False  # the head being parsed is a 1xx: the reply itself is still to come
        self._head_only = False  # the request is a HEAD: its reply has no body, also with a content-length
        self._until_close = False  # the body has no length: it ends with the connection
        self._head_size = 0
        self._headers: dict[str, str] = {}
        self._parts: list[bytes] = []  # of the body, in the read that is being parsed
        self.on_body = self._parts.append  # httptools calls it for every chunk; a method of ours would cost a frame
        self._parser = HttpResponseParser(self)
        self.idle_since = 0.0
        self._foreign: bool | None = None  # until it has been looked up

    @property
    def is_open(self) -> bool:
        return self._reusable and self._transport is not None and not self._transport.is_closing()

    def is_foreign(self) -> bool:
        """Whether another user's program is at the other end, for a connection within this machine; looked up once."""
        if self._foreign is None:
            socket = None if self._transport is None else self._transport.get_extra_info("socket")
            self._foreign = socket is not None and is_foreign_server(socket)
        return self._foreign

    async def send_request(self, head: bytes, body: bytes | None, *, head_only: bool = False) -> HTTPReply:
        """Send a request and wait for the head of its reply. If it raises (UpstreamError), the connection is closed.

        `head_only` says that it is a HEAD request.
        """
        if self._transport is None:
            self._on_lost(self)  # again: the pool may have handed it out after the first call
            raise ConnectionLost("upstream closed the connection before the request was sent")
        self._receiving = True
        self._head_only = head_only
        self._head_size = 0
        timeouts = self._timeouts
        reply = self._reply = HTTPReply(self, first_byte_timeout=timeouts.first_byte, read_timeout=timeouts.read)
        if body and len(body) > MAX_JOINED_BODY:
            self._transport.write(head)
            self._transport.write(body)
        else:
            self._coalescer.put(self._transport, head + body if body else head, self._loop)
        try:
            await reply.wait_for_head()
        except BaseException:
            reply.close()
            raise
        return reply

    def close(self) -> None:
        """Close the connection at once; a reply that is being received fails."""
        self._reusable = self._until_close = False  # closing it here does not complete a body
        if self._transport is not None:
            self._transport.abort()

    # -------------------------------------------------------------------------------- what a reply needs of it

    def pause_reading(self) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.pause_reading()

    def resume_reading(self) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.resume_reading()

    def release(self) -> None:
        if self._reply is None:
            return
        self._reply = None
        # Upstream may reply before it has read the whole request; the rest must not become part of the next one.
        if self._receiving or not self.is_open or self._has_unsent_data():
            self.close()
        else:
            self._on_idle(self)

    def _has_unsent_data(self) -> bool:
        return self._transport is not None and self._transport.get_write_buffer_size() > 0

    # ------------------------------------------------------------------------------------- asyncio's callbacks

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's class does not derive from asyncio's

    def data_received(self, data: bytes) -> None:
        reply, parts = self._reply, self._parts
        if reply is None:  # data without a request
            self.close()
            return
        if reply.complete:
            self._reusable = False
            return
        error = None
        try:
            self._parser.feed_data(data)  # calls the `on_…` methods below
        except (HttpParserError, HttpParserUpgrade):  # also for bytes after the end of a reply
            self._reusable = False
            error = UpstreamDisconnected("upstream sent a reply that is not valid HTTP")
        if parts:
            body = parts[0] if len(parts) == 1 else b"".join(parts)
            parts.clear()
            reply.receive(body)
        if not self._receiving:
            reply.finish()
        elif error is not None or not reply.status:
            self._check_head(reply, error, len(data))

    def connection_lost(self, exc: Exception | None) -> None:
        self._reusable = False
        self._transport = None
        self._on_lost(self)
        reply = self._reply
        if reply is None or not self._receiving:
            return
        if not reply.status:
            reply.fail(ConnectionLost("upstream closed the connection before the end of its reply"))
        elif self._until_close and exc is None:
            self._receiving = False
            reply.finish()
        else:
            reply.fail(UpstreamDisconnected("upstream closed the connection before the end of its reply"))

    def _check_head(self, reply: HTTPReply, error: UpstreamDisconnected | None, size: int) -> None:
        """Fail the reply after a read of `size` bytes that is not HTTP, or while its head exceeds MAX_HEAD."""
        self._head_size += size
        if error is None and self._head_size > MAX_HEAD:
            error = UpstreamDisconnected("upstream sent a reply whose head is too large")
        if error is not None:
            reply.fail(error)
            self.close()

    # ------------------------------------------------------------------------------------- httptools' callbacks

    def on_message_begin(self) -> None:
        if not self._receiving:
            raise HttpParserError("a reply without a request")
        self._headers = {}

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        status = self._parser.get_status_code()
        self._interim = status < 200
        if self._interim or self._reply is None:
            return
        headers, self._headers = self._headers, {}  # later header lines are trailers
        self._until_close = "transfer-encoding" not in headers and "content-length" not in headers
        self._reply.begin(status, headers)
        if self._head_only:
            # llhttp would wait for the body, and httptools cannot tell it that there is none. So parsing stops here,
            # and the connection is not reused.
            self._receiving = False
            raise HttpParserError("the reply to a HEAD request ends with its head")

    def on_message_complete(self) -> None:
        if self._interim:
            return
        self._receiving = False
        self._reusable = self._reusable and self._parser.should_keep_alive()
