"""What a request has held is free when the request has ended, without the garbage collector.

The server raises the collector's thresholds, so a reference cycle that holds a body would stay for a long time.
"""

import asyncio
import gc
import json
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress

import aiohttp
import pytest
from aiohttp import web

from claude_proxy.dialects.chat.dialect import ChatCompletionRequest
from claude_proxy.dialects.responses.dialect import ResponseRequest
from claude_proxy.errors import ProxyError
from claude_proxy.server.exchange import Exchange
from claude_proxy.server.generation import Generation
from claude_proxy.server.response_store import Continued
from claude_proxy.translate.draft import Translation
from claude_proxy.translate.reply import ReplyReader
from claude_proxy.transport.reply import HTTPReply
from tests.server.conftest import Serve, Served
from tests.server.test_faults import WHOLE
from tests.support.raw import LAST_CHUNK, SSE_HEAD, Connection, answer, chunk

REQUESTS = (ChatCompletionRequest, ResponseRequest, Continued)
HELD = (Exchange, web.Request, ProxyError, Generation, Translation, ReplyReader, HTTPReply, *REQUESTS)
COUNT = 20
ERROR = b'{"type":"error","error":{"type":"invalid_request_error","message":"prompt is too long"}}'


@pytest.fixture
def _no_collector() -> Iterator[None]:
    gc.collect()
    gc.freeze()  # what earlier tests have left is not among `gc.get_objects()`
    gc.disable()
    yield
    gc.enable()
    gc.unfreeze()


def held() -> dict[str, int]:
    """How many objects of a request are alive, by class."""
    counts: dict[str, int] = {}
    for each in gc.get_objects():
        if isinstance(each, HELD):
            counts[type(each).__name__] = counts.get(type(each).__name__, 0) + 1
    return counts


def body(**fields: object) -> bytes:
    message = {"role": "user", "content": "x" * 100_000}
    return json.dumps({"model": "claude-sonnet-5", "max_tokens": 5, "messages": [message], **fields}).encode()


def response_body(*, stream: bool) -> bytes:
    return json.dumps({"model": "claude-sonnet-5", "input": "x" * 100_000, "stream": stream}).encode()


async def refuses(peer: Connection) -> None:
    while True:
        await peer.request()
        await peer.send(answer(ERROR, "400 Bad Request", b"content-type: application/json"))


async def whole(peer: Connection) -> None:
    while True:
        await peer.request()
        await peer.send(SSE_HEAD + chunk(WHOLE) + LAST_CHUNK)


async def breaks(peer: Connection) -> None:
    await peer.request()
    await peer.send(SSE_HEAD + chunk(WHOLE[: len(WHOLE) // 2]))


async def hangs(peer: Connection) -> None:
    await peer.request()
    await peer.gone()


Play = Callable[[Connection], Awaitable[None]]


@pytest.mark.usefixtures("_no_collector")
@pytest.mark.parametrize("path", ["/openai/v1/chat/completions", "/openai/v1/responses", "/v1/messages"])
@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("play", [refuses, breaks, whole])
async def test_an_answered_request_leaves_nothing_behind(serve: Serve, play: Play, stream: bool, path: str) -> None:
    async with serve(play) as served:
        for _ in range(COUNT):
            data = response_body(stream=stream) if path.endswith("responses") else body(stream=stream)
            async with served.client.post(path, data=data) as reply:
                await reply.read()
                assert (reply.status == 400) is (play is refuses)
        await _until_closed(served)
        assert max(held().values(), default=0) <= 1  # of the last one, which its connection still knows


@pytest.mark.usefixtures("_no_collector")
@pytest.mark.parametrize("stream", [False, True])
async def test_several_choices_of_which_one_fails_leave_nothing_behind(serve: Serve, stream: bool) -> None:
    async with serve(breaks) as served:
        for _ in range(COUNT):
            async with served.client.post("/v1/chat/completions", data=body(n=3, stream=stream)) as reply:
                await reply.read()
        await _until_closed(served)
        assert max(held().values(), default=0) <= 3


@pytest.mark.usefixtures("_no_collector")
@pytest.mark.parametrize("path", ["/openai/v1/chat/completions", "/v1/messages"])
async def test_a_client_that_leaves_while_it_waits_leaves_nothing_behind(serve: Serve, path: str) -> None:
    async with serve(hangs) as served:
        for _ in range(COUNT):
            asking = asyncio.create_task(_ask(served, path))
            await _until(lambda: bool(served.sent()))
            served.upstream.requests.clear()
            asking.cancel()
            await asyncio.wait([asking])
        await _until_closed(served)
        assert max(held().values(), default=0) <= 1


@pytest.mark.usefixtures("_no_collector")
async def test_an_upload_that_is_abandoned_leaves_nothing_behind(serve: Serve) -> None:
    head = b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    async with serve() as served:
        host, port = served.url.removeprefix("http://").split(":")
        for _ in range(COUNT):
            _, writer = await asyncio.open_connection(host, int(port))
            writer.write(head + b"Content-Length: 1000000\r\n\r\n" + b"x" * 200_000)
            await _until(lambda: bool(served.state.open))
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()
        await _until_closed(served)
        assert max(held().values(), default=0) <= 1


async def _ask(served: Served, path: str) -> None:
    async with aiohttp.ClientSession(served.url) as client:
        await client.post(path, data=body(), headers={"Content-Type": "application/json"})


async def _until_closed(served: Served) -> None:
    await _until(lambda: not served.state.open)
    for _ in range(10):  # callbacks of closed connections
        await asyncio.sleep(0)


async def _until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110 - the server has no event for it
            await asyncio.sleep(0)
