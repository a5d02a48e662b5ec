import asyncio
import gzip
import zlib

import pytest

from claude_proxy.server.bodies import BUDGET, BodyBudget
from tests.server.conftest import Serve, Served
from tests.support.raw import Connection, answer, told


async def test_a_body_that_grows_beyond_the_bound_is_refused_while_it_comes(serve: Serve) -> None:
    async def endless():
        for _ in range(100):
            yield b" " * 100

    async with serve(max_body=1000) as served:
        async with served.client.post("/v1/messages", data=endless()) as reply:
            assert reply.status == 413
            assert (await reply.json())["error"]["type"] == "request_too_large"
        async with served.client.post("/v1/messages", data=b" " * 1000) as reply:
            assert reply.status == 200


async def test_a_body_that_does_not_arrive_in_time_is_refused(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("claude_proxy.server.bodies.BODY_DEADLINE", 0.05)
    head = b"POST /v1/messages HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    async with serve() as served:
        reply = await told(served.url, head + b"Content-Length: 2\r\n\r\n{")
    assert reply.startswith(b"HTTP/1.1 400 ")
    assert b"did not arrive in time" in reply


async def test_a_body_with_broken_chunks_is_refused(serve: Serve) -> None:
    head = b"POST /v1/messages HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    async with serve() as served:
        reply = await told(served.url, head + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\nzz\r\n")
    assert reply == b"" or reply.startswith(b"HTTP/1.")
    assert served.sent() == []


GZIP = {"Content-Encoding": "gzip"}


async def slowly(data: bytes, size: int = 1000):
    for pos in range(0, len(data), size):
        yield data[pos : pos + size]
        await asyncio.sleep(0)


@pytest.mark.parametrize("chunked", [False, True])
async def test_a_gzip_body_is_decoded_and_goes_up_plain(serve: Serve, chunked: bool) -> None:
    body = b'{"model": "%s"}' % bytes(range(97, 123)) * 20_000
    members = gzip.compress(body[:1000]) + gzip.compress(body[1000:])
    async with serve() as served:
        data = slowly(members) if chunked else members
        reply = await served.client.post("/v1/messages", data=data, headers=GZIP)
        assert reply.status == 200
    head, _, sent = served.sent()[0].partition(b"\r\n\r\n")
    assert sent == body
    assert b"content-encoding" not in head.lower()


async def test_a_small_gzip_body_is_decoded(serve: Serve) -> None:
    async with serve() as served:
        assert (await served.client.post("/v1/messages", data=gzip.compress(b"{}"), headers=GZIP)).status == 200
    assert served.sent()[0].endswith(b"\r\n\r\n{}")


@pytest.mark.parametrize("chunked", [False, True])
async def test_a_bomb_is_refused_when_it_exceeds_the_bound(serve: Serve, chunked: bool) -> None:
    bomb = zlib.compressobj(wbits=31)
    data = b"".join(bomb.compress(bytes(1_000_000)) for _ in range(200)) + bomb.flush()
    async with serve(max_body=1_000_000) as served:
        async with served.client.post("/v1/messages", data=slowly(data) if chunked else data, headers=GZIP) as reply:
            assert reply.status == 413
        assert served.server.app[BUDGET].used == 0
    assert served.sent() == []


@pytest.mark.parametrize("data", [b"{}", gzip.compress(b"{}" * 99)[:-5], gzip.compress(b"{}") + b"more", b"\x1f\x8b"])
async def test_what_is_not_whole_gzip_is_refused(serve: Serve, data: bytes) -> None:
    async with serve() as served:
        for sent in (data, slowly(data, 1)):
            async with served.client.post("/v1/messages", data=sent, headers=GZIP) as reply:
                assert reply.status == 400
                assert "broken" in (await reply.json())["error"]["message"]
    assert served.sent() == []


async def test_beyond_the_bound_on_all_bodies_requests_wait(serve: Serve) -> None:
    go_on, body = asyncio.Event(), b" " * 1000

    async def play(peer: Connection) -> None:
        while True:
            await peer.request()
            await go_on.wait()
            await peer.send(answer(b"{}", "200 OK", b"content-type: application/json"))

    async def ask(served: Served, data: object) -> int:
        async with served.client.post("/v1/messages", data=data) as reply:
            return reply.status

    async with serve(play, max_body=1000, max_body_total=2500) as served:
        budget = served.server.app[BUDGET]
        asking = [asyncio.create_task(ask(served, body if number else slowly(body, 100))) for number in range(6)]
        async with asyncio.timeout(5):
            while len(served.state.open) < 6 or len(served.sent()) < 2:  # noqa: ASYNC110 - the server has no event
                await asyncio.sleep(0)
        assert (len(served.sent()), budget.used) == (2, 2000)
        assert (await served.client.get("/openai/v1/models")).status == 200
        asking.pop().cancel()
        go_on.set()
        assert await asyncio.gather(*asking) == [200] * 5
        async with asyncio.timeout(5):
            while served.state.open:  # noqa: ASYNC110 - the server has no event
                await asyncio.sleep(0)
        assert budget.used == 0


async def test_a_cancelled_wait_gives_its_share_to_the_next() -> None:
    budget = BodyBudget(10)
    await budget.take(8)
    first, second = asyncio.create_task(budget.take(5)), asyncio.create_task(budget.take(2))
    await asyncio.sleep(0)
    assert not second.done()  # in order, though it would fit
    first.cancel()
    await second
    assert budget.used == 10
    third = asyncio.create_task(budget.take(1))
    await asyncio.sleep(0)
    budget.give_back(8)
    third.cancel()  # in the iteration in which it got its share
    await asyncio.wait([third])
    assert budget.used == 2


async def test_a_body_above_the_whole_bound_is_let_in_alone() -> None:
    budget = BodyBudget(10)
    await budget.take(50)
    waiting = asyncio.create_task(budget.take(1))
    await asyncio.sleep(0)
    assert not waiting.done()
    budget.give_back(50)
    await waiting
    unlimited = BodyBudget(0)
    for _ in range(3):
        await unlimited.take(1_000_000)
