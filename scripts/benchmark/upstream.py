"""The benchmark's upstream: a process that writes prerendered bytes. `GET /mode/KIND/TOKENS` sets it.

Modes: `text`, `thinking` and `tool` write event by event, `coalesced` writes text in one go, `paced` sends a timed
token every 10 ms, `held` sends one token and stays silent.
"""

import asyncio
import gc
import re
import sys
import time

from scripts.benchmark import script

_STREAM_HEAD = (
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\ntransfer-encoding: chunked\r\n\r\n"
)
_LENGTH = re.compile(rb"(?i)\r\ncontent-length: *(\d+)")
_STREAMED = re.compile(rb'"stream": ?true')
_TICK = 0.001
_SHARES = 10  # a stream's token comes every `_SHARES` ticks: 100 a second

_MODELS = b'{"data":[{"type":"model","id":"%b","display_name":"Haiku","created_at":"2025-10-01T00:00:00Z"}],' % (
    script.MODEL.encode()
)
_MODELS += b'"has_more":false,"first_id":null,"last_id":null}'


class Pacer:
    """Sends the tokens of all paced streams, spread evenly over time."""

    def __init__(self) -> None:
        self._streams: list[dict[asyncio.Transport, int]] = [{} for _ in range(_SHARES)]
        self._next = 0

    def add(self, transport: asyncio.Transport, count: int) -> None:
        share = min(self._streams, key=len)
        share[transport] = count

    def remove(self, transport: asyncio.Transport) -> None:
        for share in self._streams:
            share.pop(transport, None)

    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        at = loop.time()
        while True:
            at += _TICK
            await asyncio.sleep(at - loop.time())
            self._tick(self._streams[self._next])
            self._next = (self._next + 1) % _SHARES

    def _tick(self, share: dict[asyncio.Transport, int]) -> None:
        for transport, left in list(share.items()):
            if left:
                transport.write(script.timed_delta(time.monotonic_ns()))
                share[transport] = left - 1
            else:
                del share[transport]
                transport.write(b"".join(map(script.chunk, script.closing("text", left))) + b"0\r\n\r\n")


class Server(asyncio.Protocol):
    """One connection. Requests are read completely; only the mode decides the reply."""

    mode = ("text", 1)

    def __init__(self, pacer: Pacer) -> None:
        self._pacer = pacer
        self._received: list[bytes] = []
        self._wanted = 0
        self._size = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        self._pacer.remove(self._transport)

    def data_received(self, data: bytes) -> None:
        self._received.append(data)
        self._size += len(data)
        if not self._wanted:
            start = b"".join(self._received)
            head, end, _ = start.partition(b"\r\n\r\n")
            if not end:
                return
            length = _LENGTH.search(head)
            self._wanted = len(head) + 4 + (int(length[1]) if length else 0)
        if self._size >= self._wanted:
            request = b"".join(self._received)
            self._received.clear()
            self._wanted = self._size = 0
            self._answer(request)

    def _answer(self, request: bytes) -> None:
        target = request.split(b" ", 2)[1]
        if target.startswith(b"/mode/"):
            _, _, kind, count = target.decode().split("/")
            Server.mode = (kind, int(count))
            script.stream(_content(kind), int(count))
            self._json(b"{}")
        elif target.startswith(b"/v1/models"):
            self._json(_MODELS)
        elif _STREAMED.search(request):
            self._stream(*Server.mode)
        else:
            self._json(script.whole(Server.mode[1]))

    def _json(self, body: bytes) -> None:
        head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"
        self._transport.write(head % len(body) + body)

    def _stream(self, mode: str, count: int) -> None:
        match mode:
            case "paced" | "held":
                first = script.timed_delta(time.monotonic_ns())
                self._transport.write(_STREAM_HEAD + b"".join(map(script.chunk, script.opening("text"))) + first)
                if mode == "paced":
                    self._pacer.add(self._transport, count - 1)
            case "coalesced" | "small":
                self._transport.write(_STREAM_HEAD + script.coalesced(count))
            case kind:
                self._transport.write(_STREAM_HEAD)
                for event in script.stream(kind, count):
                    self._transport.write(event)


def _content(mode: str) -> str:
    return mode if mode in ("thinking", "tool") else "text"


async def serve() -> None:
    """Listen on a free port, print it, and serve until stdin is closed, which happens when the parent ends."""
    loop = asyncio.get_running_loop()
    pacer = Pacer()
    server = await loop.create_server(lambda: Server(pacer), "127.0.0.1", 0, backlog=2048)
    print(server.sockets[0].getsockname()[1], flush=True)
    gc.freeze()
    pacing = asyncio.create_task(pacer.run())
    await loop.run_in_executor(None, sys.stdin.read)
    pacing.cancel()


if __name__ == "__main__":
    asyncio.run(serve())
