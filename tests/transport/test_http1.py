import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from claude_proxy.errors import UpstreamDisconnected
from claude_proxy.transport.coalescing import WriteCoalescer
from claude_proxy.transport.http1 import MAX_JOINED_BODY, HTTP1Connection, Timeouts
from claude_proxy.transport.reply import ConnectionLost, HTTPReply
from tests.support import raw
from tests.support.raw import answer

HEAD = b"POST / HTTP/1.1\r\n\r\n"


class PoolSide:
    """What a connection has told its pool."""

    def __init__(self) -> None:
        self.idle = 0
        self.lost = asyncio.Event()

    def create(self) -> HTTP1Connection:
        return HTTP1Connection(
            WriteCoalescer(), Timeouts(5, 5), on_idle=self._on_idle, on_lost=lambda _: self.lost.set()
        )

    def _on_idle(self, _: HTTP1Connection) -> None:
        self.idle += 1


@asynccontextmanager
async def connected(play: raw.Play) -> AsyncIterator[tuple[HTTP1Connection, PoolSide]]:
    pool_side = PoolSide()
    async with raw.raw_server(play) as upstream:
        port = int(upstream.url.rpartition(":")[2])
        _, connection = await asyncio.get_running_loop().create_connection(pool_side.create, "127.0.0.1", port)
        yield connection, pool_side
        connection.close()
        await pool_side.lost.wait()


async def send(connection: HTTP1Connection, body: bytes | None = None, head: bytes = HEAD) -> HTTPReply:
    return await connection.send_request(head, body)


def sends(*parts: bytes, stay: bool = True) -> raw.Play:
    """A peer that reads one request and answers with `parts`, each in a read of its own."""

    async def play(peer: raw.Connection) -> None:
        await peer.request()
        for part in parts:
            await peer.send(part)
            for _ in range(20):  # iterations in which the other side reads this part
                await asyncio.sleep(0)
        if stay:
            await peer.gone()

    return play


WHOLE = (
    b"HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\nHTTP/1.1 200 OK\r\nX-One: 1\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"3\r\none\r\n8;name=value\r\nand two,\r\n4\r\n end\r\n0\r\nTrailer: 1\r\n\r\n"
)


@pytest.mark.parametrize("size", [1, 2, 17, len(WHOLE)])
async def test_a_reply_is_the_same_however_it_is_cut(size: int) -> None:
    async def play(peer: raw.Connection) -> None:
        await peer.request()
        for place in range(0, len(WHOLE), size):
            await peer.send(WHOLE[place : place + size])
            await asyncio.sleep(0)
        await peer.gone()

    async with connected(play) as (connection, pool_side):
        with await send(connection) as reply:
            assert (reply.status, reply.headers["x-one"], "link" in reply.headers) == (200, "1", False)
            assert await reply.read() == b"oneand two, end"
            assert "trailer" not in reply.headers
        assert pool_side.idle == 1
        assert connection.is_open


@pytest.mark.parametrize("status", ["204 No Content", "304 Not Modified"])
async def test_some_replies_have_no_body(status: str) -> None:
    async with connected(sends(f"HTTP/1.1 {status}\r\n\r\n".encode())) as (connection, pool_side):
        with await send(connection) as reply:
            assert await reply.read() == b""
        assert pool_side.idle == 1


@pytest.mark.parametrize(
    "head",
    [
        b"content-length: 5\r\n",
        b"transfer-encoding: chunked\r\n",
        b"content-length: 5\r\ncontent-encoding: gzip\r\n",
        b"",
    ],
)
@pytest.mark.parametrize("body", [b"", b"wrong"])
async def test_the_reply_to_a_head_request_has_no_body(head: bytes, body: bytes) -> None:
    async with connected(sends(b"HTTP/1.1 200 OK\r\n" + head + b"\r\n" + body)) as (connection, pool_side):
        with await connection.send_request(HEAD, None, head_only=True) as reply:
            async with asyncio.timeout(5):
                assert (reply.status, await reply.read(), reply.ended) == (200, b"", True)
        assert pool_side.idle == 0
        assert not connection.is_open


async def test_a_body_without_a_length_ends_with_its_connection() -> None:
    async with connected(sends(b"HTTP/1.1 200 OK\r\n\r\nall of", b" it", stay=False)) as (connection, pool_side):
        with await send(connection) as reply:
            assert await reply.read() == b"all of it"
        assert pool_side.idle == 0


@pytest.mark.parametrize("head", [b"HTTP/1.1 200 OK\r\nconnection: close\r\n", b"HTTP/1.0 200 OK\r\n"])
async def test_a_connection_that_upstream_will_close_is_not_used_again(head: bytes) -> None:
    async with connected(sends(head + b"content-length: 2\r\n\r\nhi")) as (connection, pool_side):
        with await send(connection) as reply:
            assert await reply.read() == b"hi"
        assert pool_side.idle == 0
        assert not connection.is_open


async def test_bytes_behind_a_reply_are_no_part_of_it_and_end_the_connection() -> None:
    async with connected(sends(answer(b"one") + answer(b"two"))) as (connection, pool_side):
        with await send(connection) as reply:
            assert await reply.read() == b"one"
        assert pool_side.idle == 0


async def test_bytes_that_come_before_the_reply_is_released_end_the_connection() -> None:
    async with connected(sends(answer(b"one"), answer(b"two"))) as (connection, pool_side):
        with await send(connection) as reply:
            assert await reply.read() == b"one"
            async with asyncio.timeout(5):
                while connection.is_open:  # noqa: ASYNC110 - nobody tells when it is not
                    await asyncio.sleep(0)
        assert pool_side.idle == 0


async def test_bytes_without_a_request_end_the_connection() -> None:
    async def play(peer: raw.Connection) -> None:
        await peer.send(answer(b"unasked"))
        await peer.gone()

    async with connected(play) as (_, pool_side):
        await asyncio.wait_for(pool_side.lost.wait(), 5)


@pytest.mark.parametrize(
    "said",
    [
        b"SSH-2.0-OpenSSH_9.9\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nx: \0\r\n\r\n",
    ],
)
async def test_what_is_not_http_is_an_error(said: bytes) -> None:
    async with connected(sends(said)) as (connection, _):
        with pytest.raises(UpstreamDisconnected, match="not valid HTTP"):
            await send(connection)
        assert not connection.is_open


async def test_a_head_has_a_bound() -> None:
    async with connected(sends(b"HTTP/1.1 200 OK\r\nx: ", *[b"y" * 60_000] * 3)) as (connection, _):
        with pytest.raises(UpstreamDisconnected, match="head is too large"):
            await send(connection)


async def test_a_connection_that_ends_before_the_head_is_lost() -> None:
    async with connected(sends(b"HTTP/1.1 200", stay=False)) as (connection, pool_side):
        with pytest.raises(ConnectionLost):
            await send(connection)
        await pool_side.lost.wait()
        with pytest.raises(ConnectionLost):
            await send(connection)


@pytest.mark.parametrize("size", [0, 10, MAX_JOINED_BODY + 1])
async def test_a_request_arrives_whole(size: int) -> None:
    got = asyncio.Event()

    async def play(peer: raw.Connection) -> None:
        assert (await peer.request()).endswith(b"\r\n\r\n" + b"x" * size)
        got.set()
        await peer.send(answer(b""))
        await peer.gone()

    async with connected(play) as (connection, _):
        with await send(connection, b"x" * size, b"POST / HTTP/1.1\r\ncontent-length: %d\r\n\r\n" % size) as reply:
            await reply.read()
    assert got.is_set()


async def test_a_reply_that_comes_before_the_request_is_sent_ends_the_connection() -> None:
    async def play(peer: raw.Connection) -> None:
        await peer.reader.readuntil(b"\r\n\r\n")
        await peer.send(answer(b"no", "413 Too Large"))
        await done.wait()

    done = asyncio.Event()
    async with connected(play) as (connection, pool_side):
        with await send(connection, b"x" * 50_000_000) as reply:
            assert (reply.status, await reply.read()) == (413, b"no")
        assert pool_side.idle == 0
        done.set()


async def test_an_end_that_is_made_here_is_not_the_end_of_a_body() -> None:
    async with connected(sends(b"HTTP/1.1 200 OK\r\n\r\nhalf of")) as (connection, _):
        with await send(connection) as reply:
            connection.close()
            with pytest.raises(UpstreamDisconnected):
                await reply.read()
