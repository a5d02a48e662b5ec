"""The load generator: raw connections that record arrival times and keep every reply for verification."""

import asyncio
import re
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import cast

_TIMED = re.compile(rb"@(\d{19})")
_LENGTH = re.compile(rb"(?i)\r\ncontent-length: *(\d+)")
_END = b"\r\n0\r\n\r\n"


@dataclass
class Answer:
    """One reply with its arrival times, in monotonic nanoseconds."""

    asked: int
    status: int = 0
    body: bytes = b""
    ended: int = 0
    first_token: int = 0
    delays: list[int] = field(default_factory=list)  # of timed tokens: from upstream's write to our read


class Connection(asyncio.Protocol):
    """One kept-alive connection, one request at a time."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._head: bytes | None = None
        self._length: int | None = None
        self._size = 0
        self._tail = b""
        self._answer = Answer(0)
        self._done: asyncio.Future[None] | None = None
        self._token: asyncio.Future[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)  # uvloop's transport is not a subclass of asyncio's

    def connection_lost(self, exc: Exception | None) -> None:
        for waiting in (self._done, self._token):
            if waiting and not waiting.done():
                waiting.set_exception(ConnectionError("the connection was closed within a reply"))

    def close(self) -> None:
        """Close the connection and cancel the waiting for its reply."""
        for waiting in (self._done, self._token):
            if waiting:
                waiting.cancel()
        self.transport.abort()

    async def ask(self, request: bytes) -> Answer:
        """The whole reply to `request`."""
        self.begin(request)
        assert self._done
        await self._done
        return self._answer

    async def first_token(self) -> None:
        """Wait for the first timed token of the current reply."""
        if not self._answer.first_token:
            self._token = asyncio.get_running_loop().create_future()
            await self._token

    def begin(self, request: bytes) -> None:
        self._parts.clear()
        self._head = self._length = None
        self._size = 0
        self._tail = b""
        self._done = asyncio.get_running_loop().create_future()
        self._answer = Answer(time.monotonic_ns())
        self.transport.write(request)

    def data_received(self, data: bytes) -> None:
        now = time.monotonic_ns()
        answer = self._answer
        self._parts.append(data)
        self._size += len(data)
        for sent in _TIMED.findall(self._tail + data):
            answer.delays.append(now - int(sent))
        self._tail = data[-19:]  # one byte less than a timestamp: finds one that was split, and none twice
        if answer.delays and not answer.first_token:
            answer.first_token = now
            if self._token and not self._token.done():
                self._token.set_result(None)
        if self._head is None:
            self._begin_body()
        if self._is_complete(data):
            self._finish(now)

    def _begin_body(self) -> None:
        head, end, body = b"".join(self._parts).partition(b"\r\n\r\n")
        if end:
            self._head = head
            self._parts = [body]
            self._size = len(body)
            length = _LENGTH.search(head)
            self._length = int(length[1]) if length else None

    def _is_complete(self, data: bytes) -> bool:
        if self._head is None:
            return False
        if self._length is not None:
            return self._size >= self._length
        if not data.endswith(b"\n"):
            return False
        return data.endswith(_END) or b"".join(self._parts[-8:]).endswith(_END)

    def _finish(self, now: int) -> None:
        assert self._head is not None
        body = b"".join(self._parts)
        self._answer.status = int(self._head.split(b" ", 2)[1])
        self._answer.body = body if self._length is not None else dechunked(body)
        self._answer.ended = now
        if self._done and not self._done.done():
            self._done.set_result(None)


def dechunked(body: bytes) -> bytes:
    """`body` without HTTP's chunked coding."""
    parts: list[bytes] = []
    at = 0
    while True:
        end = body.index(b"\r\n", at)
        size = int(body[at:end], 16)
        if not size:
            return b"".join(parts)
        parts.append(body[end + 2 : end + 2 + size])
        at = end + 4 + size


@asynccontextmanager
async def connections(port: int, count: int) -> AsyncIterator[list[Connection]]:
    """`count` open connections to a port of this machine."""
    loop = asyncio.get_running_loop()
    opened: list[Connection] = []
    try:
        for _ in range(count):
            _, connection = await loop.create_connection(Connection, "127.0.0.1", port)
            opened.append(connection)
        yield opened
    finally:
        for connection in opened:
            connection.close()


async def get(port: int, path: str) -> Answer:
    async with connections(port, 1) as (connection,):
        return await connection.ask(f"GET {path} HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\n\r\n".encode())
