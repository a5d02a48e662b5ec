import asyncio

import aiohttp
import pytest

from tests.server.conftest import Serve
from tests.support.raw import LAST_CHUNK, SSE_HEAD, Connection, chunk


async def talking(peer: Connection) -> None:
    """An upstream that has begun and goes on when the test says so."""
    await peer.request()
    await peer.send(SSE_HEAD + chunk(b"data: 1\n\n"))
    await go_on.wait()
    await peer.send(chunk(b"data: 2\n\n") + LAST_CHUNK)


go_on: asyncio.Event


@pytest.fixture(autouse=True)
def _fresh() -> None:
    global go_on  # noqa: PLW0603 - one test, one event
    go_on = asyncio.Event()


async def test_an_open_stream_may_finish_while_nobody_else_comes_in(serve: Serve) -> None:
    async with serve(talking) as served:
        reply = await served.client.post("/v1/messages", data=b"{}")
        await reply.content.readany()
        draining = asyncio.create_task(served.server.drain(30, asyncio.Event()))
        await asyncio.sleep(0)
        with pytest.raises(aiohttp.ClientConnectorError):
            await served.client.get("/health")
        assert not draining.done()
        go_on.set()
        assert await reply.read() == b"data: 2\n\n"
        await asyncio.wait_for(draining, 5)


async def test_a_stream_that_does_not_finish_in_time_is_told_why(serve: Serve) -> None:
    async with serve(talking) as served:
        reply = await served.client.post("/v1/messages", data=b"{}")
        await reply.content.readany()
        await asyncio.wait_for(served.server.drain(0.05, asyncio.Event()), 5)
        assert b"claude-proxy is stopping" in await reply.read()


async def test_a_second_signal_does_not_wait(serve: Serve) -> None:
    hurry = asyncio.Event()
    async with serve(talking) as served:
        reply = await served.client.post("/v1/messages", data=b"{}")
        await reply.content.readany()
        draining = asyncio.create_task(served.server.drain(60, hurry))
        hurry.set()
        await asyncio.wait_for(draining, 5)
        assert b"claude-proxy is stopping" in await reply.read()


async def test_idle_connections_do_not_delay_the_end(serve: Serve) -> None:
    async with serve() as served:
        await served.client.get("/health")
        held = await asyncio.open_connection(*served.url.removeprefix("http://").split(":"))
        await asyncio.wait_for(served.server.drain(60, asyncio.Event()), 5)
        assert await held[0].read() == b""
        held[1].close()
