import asyncio
import logging

import pytest
from aiohttp import web

from claude_proxy.errors import InvalidRequest
from claude_proxy.server.stream import EventStream, open_stream
from tests.support.endpoint import serving
from tests.support.raw import told


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
    assert state.last_error is not None


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
    assert state.last_error is None
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
        before = -1
        while before != written:
            before = written
            await asyncio.sleep(0.05)
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


async def test_a_client_that_hears_nothing_for_long_gets_comments() -> None:
    async def stream(request: web.Request) -> web.StreamResponse:
        async with open_stream(request, keepalive=0.05) as stream:
            for _ in range(4):  # each puts the next comment off
                await asyncio.sleep(0.02)
                stream.feed(b"data: 1\n\n")
            await asyncio.sleep(0.18)
            stream.feed(b"data: 2\n\n")
        return stream

    async with serving(stream) as (client, _):
        body = await (await client.post("/x")).read()
    spoken, _, silent = body.partition(b"data: 1\n\n" * 4)
    assert spoken == b""
    assert silent.removesuffix(b"data: 2\n\n") in (b": ping\n\n" * 2, b": ping\n\n" * 3)


async def test_a_client_that_reads_slowly_gets_no_comments() -> None:
    waited = asyncio.Event()

    async def stream(request: web.Request) -> web.StreamResponse:
        async with open_stream(request, keepalive=0.01) as stream:
            while not request.protocol.writing_paused:  # until the buffers on both sides are full
                stream.feed(b"x" * 100_000)
                await asyncio.sleep(0.02)
            assert request.transport is not None
            before = request.transport.get_write_buffer_size()
            await asyncio.sleep(0.1)
            assert request.transport.get_write_buffer_size() == before
            waited.set()
        return stream

    async with serving(stream) as (client, _):
        reply = await client.post("/x")
        await asyncio.wait_for(waited.wait(), 5)
        reply.close()


async def test_a_stream_of_a_client_that_left_cannot_be_written_and_sets_no_timer() -> None:
    left, streams = asyncio.Event(), list[EventStream]()

    async def stream(request: web.Request) -> web.StreamResponse:
        async with open_stream(request, keepalive=0.01) as stream:
            streams.append(stream)
            try:
                await asyncio.Event().wait()
            finally:
                await asyncio.sleep(0.05)
                with pytest.raises(ConnectionResetError):
                    stream.feed(b"data: 1\n\n")
                left.set()
        return stream

    async with serving(stream) as (client, _):
        reply = await client.post("/x")
        reply.close()
        await asyncio.wait_for(left.wait(), 5)
    assert streams[0]._timer is not None
    assert streams[0]._timer.when() < asyncio.get_running_loop().time()


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
