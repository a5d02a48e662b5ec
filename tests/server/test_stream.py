import asyncio
import logging
from collections.abc import Callable
from typing import Any

import pytest
from aiohttp import web

from claude_proxy.errors import InvalidRequest
from claude_proxy.server.stream import EventStream, open_stream
from tests.support.endpoint import serving
from tests.support.raw import told
from tests.support.waiting import stalled


@pytest.mark.parametrize("path", ["/x", "/v1/messages/x"])
@pytest.mark.parametrize("error", [InvalidRequest("late"), ZeroDivisionError("late"), RuntimeError("late")])
async def test_an_error_within_a_stream_is_its_last_event(path: str, error: Exception) -> None:
    def broken() -> None:
        raise error

    async def stream(request: web.Request) -> web.StreamResponse:
        async with open_stream(request, {"x-upstream": "1"}) as client:
            await client.write(b"data: 1\n\n")
            broken()
        return client

    async with serving(stream) as (client, state):
        reply = await client.post(path, data=b"{}")
        body = await reply.read()
    assert (reply.status, reply.headers["x-upstream"]) == (200, "1")
    assert reply.headers["content-type"] == "text/event-stream; charset=utf-8"
    first, last = body.removesuffix(b"\n\n").split(b"\n\n")
    assert (first, b'"error"' in last) == (b"data: 1", True)
    assert state.counters.last_error is not None


async def test_a_client_that_leaves_is_no_error(caplog: pytest.LogCaptureFixture) -> None:
    ended = asyncio.Event()

    async def stream(request: web.Request) -> web.StreamResponse:
        try:
            async with open_stream(request) as client:
                while True:
                    await client.write(b"x" * 10000)
        finally:
            ended.set()

    async with serving(stream) as (client, state):
        with caplog.at_level(logging.INFO):
            reply = await client.post("/x", data=b"{}")
            await reply.content.readany()
            reply.close()
            await asyncio.wait_for(ended.wait(), 5)
    assert state.counters.last_error is None
    assert "client_left=True" in caplog.text
    assert not any(record.levelno >= logging.WARNING for record in caplog.records)


async def test_a_reader_that_stops_holds_the_writer_back() -> None:
    written = 0

    async def stream(request: web.Request) -> web.StreamResponse:
        nonlocal written
        async with open_stream(request) as client:
            while True:
                await client.write(b"x" * 10000)
                written += 10000

    async with serving(stream) as (client, _), client.post("/x", data=b"{}") as reply:
        await reply.content.readany()
        await stalled(lambda: written)
        # The client's and the kernel's buffers on both sides, and no more.
        assert written < 16 * 1024 * 1024


async def test_frames_are_written_without_a_task_and_arrive_as_aiohttp_would_have_written_them() -> None:
    frames = [b"data: %d\n\n" % number * number for number in (1, 15, 16, 17, 300)]

    async def ours(request: web.Request) -> web.StreamResponse:
        async with open_stream(request) as stream:
            for frame in frames:
                stream.feed(frame)
        return stream

    async def aiohttps(request: web.Request) -> web.StreamResponse:
        async with open_stream(request) as stream:
            for frame in frames:
                await web.StreamResponse.write(stream, frame)
        return stream

    bodies = []
    for handler in (ours, aiohttps):
        async with serving(handler) as (client, _):
            said = await told(str(client._base_url).rstrip("/"), ASK % b"HTTP/1.1\r\nConnection: close")
        bodies.append(said.partition(b"\r\n\r\n")[2])
    assert bodies[0] == bodies[1]
    assert bodies[0].endswith(b"0\r\n\r\n")


ASK = b"POST /x %b\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 0\r\n\r\n"


async def test_a_client_of_http_1_0_gets_the_frames_alone() -> None:
    async def stream(request: web.Request) -> web.StreamResponse:
        async with open_stream(request) as stream:
            stream.feed(b"data: 1\n\n")
            stream.feed(b"data: 2\n\n")
        return stream

    async with serving(stream) as (client, _):
        said = await told(str(client._base_url).rstrip("/"), ASK % b"HTTP/1.0")
    head, _, body = said.partition(b"\r\n\r\n")
    assert b"chunked" not in head.lower()
    assert body == b"data: 1\n\ndata: 2\n\n"


class Clock:
    """The loop of a stream, with a time of its own; no timer fires by itself."""

    def __init__(self) -> None:
        self.now = 0.0
        self.next_look = 0.0

    def time(self) -> float:
        return self.now

    def call_soon(self, call: Callable[[], None]) -> None:
        asyncio.get_running_loop().call_soon(call)

    def call_at(self, when: float, call: Callable[[], None]) -> asyncio.TimerHandle:
        self.next_look = when
        return asyncio.get_running_loop().call_later(3600, call)


def timed(stream: EventStream) -> Clock:
    """Give `stream` a clock, in place of the timer that it has set."""
    clock = Clock()
    loop: Any = clock
    stream.stop()
    stream._loop = stream._own._loop = loop
    stream._own.wrote = 0.0
    return clock


async def test_a_client_that_hears_nothing_for_long_gets_comments() -> None:
    async def stream(request: web.Request) -> web.StreamResponse:
        async with open_stream(request, keepalive=15) as stream:
            clock = timed(stream)
            for now, due in ((10.0, 15.0), (15.0, 30.0), (29.9, 31.4)):  # looks more often than every 1.5 s are none
                clock.now = now
                stream._look()
                assert clock.next_look == pytest.approx(due)
            stream.feed(b"data: 1\n\n")  # at 29.9
            for now in (31.4, 44.8, 44.9, 60.0):
                clock.now = now
                stream._look()
        return stream

    async with serving(stream) as (client, _):
        body = await (await client.post("/x")).read()
    assert body == b": ping\n\ndata: 1\n\n: ping\n\n: ping\n\n"


async def test_without_an_interval_there_is_no_timer() -> None:
    async def stream(request: web.Request) -> web.StreamResponse:
        async with open_stream(request) as stream:
            assert stream._timer is None
        return stream

    async with serving(stream) as (client, _):
        assert (await client.post("/x")).status == 200


async def test_a_client_that_reads_slowly_gets_no_comments() -> None:
    looked = asyncio.Event()

    async def stream(request: web.Request) -> web.StreamResponse:
        async with open_stream(request, keepalive=15) as stream:
            while not request.protocol.writing_paused:  # until the buffers on both sides are full
                stream.feed(b"x" * 100_000)
                await asyncio.sleep(0)
            clock = timed(stream)
            clock.now = 1000.0
            stream._look()
            looked.set()
        return stream

    async with serving(stream) as (client, _):
        reply = await client.post("/x")
        await asyncio.wait_for(looked.wait(), 5)
        body = await reply.read()
    assert body.strip(b"x") == b""


async def test_a_stream_of_a_client_that_left_cannot_be_written_and_sets_no_timer() -> None:
    left, seen = asyncio.Event(), list[bool]()

    async def stream(request: web.Request) -> web.StreamResponse:
        async with open_stream(request, keepalive=15) as stream:
            try:
                await asyncio.Event().wait()
            finally:
                timer = stream._timer
                stream._look()
                seen.append(stream._timer is timer)
                with pytest.raises(ConnectionResetError):
                    stream.feed(b"data: 1\n\n")
                left.set()
        return stream

    async with serving(stream) as (client, _):
        reply = await client.post("/x")
        reply.close()
        await asyncio.wait_for(left.wait(), 5)
    assert seen == [True]


async def test_frames_leave_before_the_end_and_the_last_with_it() -> None:
    async def stream(request: web.Request) -> web.StreamResponse:
        async with open_stream(request) as stream:
            stream.feed(b"data: 1\n\n")
            stream.feed(b"data: 2\n\n")
            await stream.end(b"data: 3\n\n")
        return stream

    async with serving(stream) as (client, _):
        said = await told(str(client._base_url).rstrip("/"), ASK % b"HTTP/1.1\r\nConnection: close")
    chunks = said.partition(b"\r\n\r\n")[2]
    assert chunks == b"9\r\ndata: 1\n\n\r\n9\r\ndata: 2\n\n\r\n9\r\ndata: 3\n\n\r\n0\r\n\r\n"


async def test_an_error_comes_behind_what_waits() -> None:
    def broken() -> None:
        raise InvalidRequest("late")

    async def stream(request: web.Request) -> web.StreamResponse:
        async with open_stream(request) as stream:
            stream.feed(b"data: 1\n\n")
            broken()
        return stream

    async with serving(stream) as (client, _):
        body = await (await client.post("/x")).read()
    assert body.startswith(b'data: 1\n\ndata: {"error"')
    assert body.count(b"data: ") == 2
