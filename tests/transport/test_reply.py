import asyncio
import gzip
import zlib

import pytest

from claude_proxy.errors import UpstreamDisconnected, UpstreamTimeout
from claude_proxy.transport import reply as module
from claude_proxy.transport.reply import HTTPReply

BODY = b"a body that somebody has compressed " * 50


class Idle:
    """A line on which nothing comes by itself."""

    released = 0

    def hold(self) -> None:
        pass

    def go_on(self) -> None:
        pass

    def release(self) -> None:
        self.released += 1


def begun(**headers: str) -> HTTPReply:
    made = HTTPReply(Idle(), first_byte_timeout=5, read_timeout=5)
    made.begin(200, {name.replace("_", "-"): value for name, value in headers.items()})
    return made


async def test_what_is_read_at_once_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_READ", 10)
    reply = begun()
    reply.arrived(b"x" * 11)
    with pytest.raises(UpstreamDisconnected, match="too large"):
        await reply.read()


@pytest.mark.parametrize(
    ("coding", "body"),
    [
        ("identity", BODY),
        ("gzip", gzip.compress(BODY)),
        ("GZIP", gzip.compress(BODY)),
        ("deflate", zlib.compress(BODY)),
    ],
)
@pytest.mark.parametrize("size", [1, 7, 100_000])
async def test_a_coding_that_nobody_asked_for_is_undone(coding: str, body: bytes, size: int) -> None:
    reply = begun(content_encoding=coding)
    for place in range(0, len(body), size):
        reply.arrived(body[place : place + size])
    reply.end()
    assert await reply.read() == BODY


@pytest.mark.parametrize("coding", ["gzip, gzip", "compress", "x-unknown"])
async def test_a_coding_that_nobody_can_undo_is_an_error(coding: str) -> None:
    with pytest.raises(UpstreamDisconnected, match="coding"):
        await begun(content_encoding=coding).begun()


@pytest.mark.parametrize("body", [b"no gzip", gzip.compress(BODY)[:-9], gzip.compress(BODY)[:9] + b"\xff" * 99])
async def test_a_compressed_body_that_is_broken_is_an_error(body: bytes) -> None:
    reply = begun(content_encoding="gzip")
    reply.arrived(body)
    reply.end()
    with pytest.raises(UpstreamDisconnected, match="broken"):
        await reply.read()


async def test_what_came_before_a_failure_is_read_before_it_is_told() -> None:
    reply = begun()
    reply.arrived(b"one")
    reply.fail(UpstreamDisconnected("no more"))
    reply.arrived(b"never")
    body = module._Body()
    with pytest.raises(UpstreamDisconnected, match="no more"):
        await reply.feed(body)
    assert body.parts == [b"one"]


async def test_closing_twice_gives_the_line_back_once() -> None:
    line = Idle()
    reply = HTTPReply(line, first_byte_timeout=5, read_timeout=5)
    reply.close()
    reply.close()
    assert line.released == 1


async def test_silence_counts_only_while_somebody_listens() -> None:
    reply = begun()
    reply._heard -= 100
    reply._look()
    reading = asyncio.create_task(reply.read())
    await asyncio.sleep(0)
    reply._look()
    await asyncio.sleep(0)
    assert not reading.done()
    reply._heard -= 100
    reply._look()
    with pytest.raises(UpstreamTimeout, match="silent"):
        await reading
