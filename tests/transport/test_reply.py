import asyncio
import gzip
import zlib

import pytest

from claude_proxy.errors import UpstreamDisconnected, UpstreamTimeout
from claude_proxy.transport import reply as module
from claude_proxy.transport.inflate import MAX_PART
from claude_proxy.transport.reply import HTTPReply

BODY = b"a body that somebody has compressed " * 50


class IdleConnection:
    """A connection on which nothing arrives by itself."""

    released = 0

    def pause_reading(self) -> None:
        pass

    def resume_reading(self) -> None:
        pass

    def release(self) -> None:
        self.released += 1


def begin(**headers: str) -> HTTPReply:
    made = HTTPReply(IdleConnection(), first_byte_timeout=5, read_timeout=5)
    made.begin(200, {name.replace("_", "-"): value for name, value in headers.items()})
    return made


async def test_what_is_read_at_once_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_READ", 10)
    reply = begin()
    reply.receive(b"x" * 11)
    with pytest.raises(UpstreamDisconnected, match="too large"):
        await reply.read()


@pytest.mark.parametrize(
    ("coding", "body"),
    [
        ("identity", BODY),
        ("gzip", gzip.compress(BODY, mtime=0)),
        ("GZIP", gzip.compress(BODY, mtime=0)),
        ("deflate", zlib.compress(BODY)),
    ],
)
@pytest.mark.parametrize("size", [1, 7, 100_000])
async def test_a_coding_that_was_not_requested_is_undone(coding: str, body: bytes, size: int) -> None:
    reply = begin(content_encoding=coding)
    for pos in range(0, len(body), size):
        reply.receive(body[pos : pos + size])
    reply.finish()
    assert await reply.read() == BODY


async def test_a_compressed_body_reaches_a_sink_in_bounded_parts_whenever_it_comes() -> None:
    class Largest(module._Body):
        def feed(self, data: bytes) -> None:
            assert len(data) <= MAX_PART
            super().feed(data)

    bomb = gzip.compress(bytes(100 * MAX_PART), mtime=0)
    for early in (0, 10, len(bomb)):
        reply, body = begin(content_encoding="gzip"), Largest()
        if early:
            reply.receive(bomb[:early])
        reading = asyncio.create_task(reply.pipe_to(body))
        await asyncio.sleep(0)
        if early < len(bomb):
            reply.receive(bomb[early:])
        reply.finish()
        await reading
        assert sum(map(len, body.parts)) == 100 * MAX_PART
        assert reply.ended


@pytest.mark.parametrize("coding", ["gzip, gzip", "compress", "x-unknown"])
async def test_an_unsupported_coding_is_an_error(coding: str) -> None:
    with pytest.raises(UpstreamDisconnected, match="coding"):
        await begin(content_encoding=coding).wait_for_head()


@pytest.mark.parametrize(
    "body", [b"no gzip", gzip.compress(BODY, mtime=0)[:-9], gzip.compress(BODY, mtime=0)[:9] + b"\xff" * 99]
)
async def test_a_compressed_body_that_is_broken_is_an_error(body: bytes) -> None:
    reply = begin(content_encoding="gzip")
    reply.receive(body)
    reply.finish()
    with pytest.raises(UpstreamDisconnected, match="broken"):
        await reply.read()


async def test_what_came_before_a_failure_is_read_before_it_is_told() -> None:
    reply = begin()
    reply.receive(b"one")
    reply.fail(UpstreamDisconnected("no more"))
    reply.receive(b"never")
    body = module._Body()
    with pytest.raises(UpstreamDisconnected, match="no more"):
        await reply.pipe_to(body)
    assert body.parts == [b"one"]


async def test_closing_twice_releases_the_connection_once() -> None:
    connection = IdleConnection()
    reply = HTTPReply(connection, first_byte_timeout=5, read_timeout=5)
    reply.close()
    reply.close()
    assert connection.released == 1


async def test_silence_counts_only_while_the_reply_is_read() -> None:
    reply = begin()
    reply._last_activity -= 100
    reply._check_silence()
    reading = asyncio.create_task(reply.read())
    await asyncio.sleep(0)
    reply._check_silence()
    await asyncio.sleep(0)
    assert not reading.done()
    reply._last_activity -= 100
    reply._check_silence()
    with pytest.raises(UpstreamTimeout, match="nothing for too long"):
        await reading
