import asyncio
import json
import logging

import pytest

from claude_proxy.server.connection import MAX_LINGERING, ConnectionLimit
from claude_proxy.transport import peer
from tests.server.conftest import Serve
from tests.support.raw import told

PARSED_BY_NOBODY = [
    b"\r\n\r\nnonsense\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: localhost\r\nno colon\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"y" * 9000 + b"\r\n\r\n",
    b"GET /" + b"y" * 9000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx",
    b"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n0\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    b"GET / HTTP/9.9\r\nHost: localhost\r\n\r\n",
]


async def test_what_is_not_http_is_a_400_in_our_shape(serve: Serve) -> None:
    async with serve() as served:
        for data in PARSED_BY_NOBODY:
            head, _, body = (await told(served.url, data)).partition(b"\r\n\r\n")
            assert b" 400 " in head.partition(b"\r\n")[0]
            assert b"server: claude-proxy" in head.lower()
            assert json.loads(body)["error"]["code"] == "invalid_http"


async def test_connections_beyond_the_limit_get_a_503_until_one_is_closed(serve: Serve) -> None:
    async with serve() as served:
        served.server.connection_limit.limit = 2
        host, port = served.url.removeprefix("http://").split(":")
        held = [await asyncio.open_connection(host, int(port)) for _ in range(2)]
        for reader, writer in held:
            writer.write(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
            await reader.readline()
        reply = await told(served.url, b"")
        assert reply.startswith(b"HTTP/1.1 503 ")
        assert b"retry-after: 1\r\n" in reply
        assert json.loads(reply.partition(b"\r\n\r\n")[2])["error"]["code"] == "too_many_connections"
        for _, writer in held:
            writer.close()
        ask = b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        while not (await told(served.url, ask)).startswith(b"HTTP/1.1 200 "):
            pass


def test_there_may_be_as_many_connections_as_descriptors_allow() -> None:
    assert ConnectionLimit.of(1024).limit == 480
    assert ConnectionLimit.of(16).limit == 8


async def test_a_head_that_comes_in_drips_has_a_deadline(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("claude_proxy.server.connection.KEEPALIVE", 0.1)
    async with serve() as served:
        assert await told(served.url, b"GET / HTTP/1.1\r\nHost: loc") == b""


async def test_an_idle_connection_is_closed_after_a_while(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("claude_proxy.server.connection.KEEPALIVE", 0.1)
    async with serve() as served:
        reply = await told(served.url, b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert reply.startswith(b"HTTP/1.1 200 OK\r\n")


async def test_pipelined_requests_are_answered_in_order(serve: Serve) -> None:
    first = b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n"
    second = b"GET /nowhere HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    async with serve() as served:
        reply = await told(served.url, first + second)
    assert reply.index(b"HTTP/1.1 200") < reply.index(b"HTTP/1.1 404")


async def test_refused_connections_cannot_use_up_the_descriptors(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("claude_proxy.server.connection.LINGER", 60)
    async with serve(same_user=False) as served:
        limit = served.server.connection_limit
        limit.same_user = True
        monkeypatch.setattr(peer, "is_ours", lambda _: False)
        host, port = served.url.removeprefix("http://").split(":")
        held = [await asyncio.open_connection(host, int(port)) for _ in range(50)]
        replies = []
        for reader, _ in held:
            try:
                replies.append((await reader.readline())[:12])
            except ConnectionResetError:
                replies.append(b"")
        assert replies == [b"HTTP/1.1 403"] * MAX_LINGERING + [b""] * (50 - MAX_LINGERING)
        assert limit.lingering == MAX_LINGERING
        for _, writer in held:
            writer.close()


async def test_a_key_in_a_malformed_header_is_not_logged(serve: Serve, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with serve() as served:
        for line in (
            b"Authorization : Bearer the-clients-own-key",
            b"X\x00: the-clients-own-key",
            b"the-clients-own-key",
        ):
            await told(served.url, b"GET / HTTP/1.1\r\nHost: localhost\r\n" + line + b"\r\n\r\n")
    assert "not a request: " in caplog.text
    assert "the-clients-own-key" not in caplog.text
