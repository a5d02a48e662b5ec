import asyncio

import pytest

from claude_proxy.server.concurrency import ConcurrencyLimit, TooBusy
from tests.server.conftest import Serve
from tests.support.raw import Connection, answer


async def test_requests_run_in_the_order_in_which_they_came() -> None:
    limit, order = ConcurrencyLimit(1), list[int]()

    async def run(number: int) -> None:
        async with limit:
            order.append(number)
            await asyncio.sleep(0)

    first, second = asyncio.create_task(run(1)), asyncio.create_task(run(2))
    await asyncio.gather(first, second)
    assert order == [1, 2]


async def test_beyond_the_queue_is_a_429_at_once_and_a_free_slot_is_used() -> None:
    limit, leave = ConcurrencyLimit(2), asyncio.Event()
    running = 0

    async def run() -> None:
        nonlocal running
        async with limit:
            running += 1
            await leave.wait()

    tasks = [asyncio.create_task(run()) for _ in range(4)]
    await asyncio.sleep(0)
    with pytest.raises(TooBusy) as caught:
        await run()
    assert (caught.value.status, caught.value.headers["retry-after"], running) == (429, "1", 2)
    leave.set()
    await asyncio.gather(*tasks)
    assert running == 4


async def test_a_slot_that_was_transferred_is_released_by_its_new_owner() -> None:
    limit = ConcurrencyLimit(1)
    first = await limit.acquire()
    second = first.transfer()
    first.release()
    waiting = asyncio.create_task(limit.acquire())
    await asyncio.sleep(0)
    assert not waiting.done()
    second.release()
    second.release()  # only once
    third = await waiting
    third.transfer().release()


async def test_a_cancelled_wait_does_not_use_up_a_slot() -> None:
    limit = ConcurrencyLimit(1)

    async def run() -> None:
        async with limit:
            pass

    async with limit:
        waiting = asyncio.create_task(run())
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.wait([waiting])
    await asyncio.wait_for(run(), 5)


async def test_without_a_limit_no_request_waits() -> None:
    limit = ConcurrencyLimit(0)
    async with limit, limit, limit:
        pass


async def test_requests_beyond_the_limit_wait_and_those_beyond_the_queue_are_told_when_to_come_back(
    serve: Serve,
) -> None:
    go_on = asyncio.Event()

    async def play(peer: Connection) -> None:
        while True:
            await peer.request()
            await go_on.wait()
            await peer.send(answer(b"{}", "200 OK", b"content-type: application/json"))

    async with serve(play, max_concurrency=2) as served:
        asked = [asyncio.create_task(served.client.post("/v1/messages", data=b"{}").__aenter__()) for _ in range(5)]
        done, _ = await asyncio.wait(asked, return_when=asyncio.FIRST_COMPLETED)
        refused = done.pop().result()
        assert (refused.status, refused.headers["retry-after"]) == (429, "1")
        assert (await served.client.get("/openai/v1/models")).status == 200
        assert len(served.sent()) == 2
        go_on.set()
        assert sorted([(await each).status for each in asked]) == [200, 200, 200, 200, 429]


async def test_a_client_that_leaves_while_it_waits_frees_its_slot(serve: Serve) -> None:
    go_on = asyncio.Event()

    async def play(peer: Connection) -> None:
        while True:
            await peer.request()
            await go_on.wait()
            await peer.send(answer(b"{}", "200 OK", b"content-type: application/json"))

    async with serve(play, max_concurrency=1) as served:

        async def ask() -> int:
            async with served.client.post("/v1/messages", data=b"{}") as reply:
                return reply.status

        async def until_open(requests: int) -> None:
            while len(served.state.open) != requests:  # noqa: ASYNC110 - nothing tells
                await asyncio.sleep(0)

        running = asyncio.create_task(ask())
        await asyncio.wait_for(until_open(1), 5)
        waiting = asyncio.create_task(ask())
        await asyncio.wait_for(until_open(2), 5)
        waiting.cancel()
        await asyncio.wait_for(until_open(1), 5)
        next_one = asyncio.create_task(ask())
        await asyncio.wait_for(until_open(2), 5)
        assert await ask() == 429
        go_on.set()
        assert (await running, await next_one) == (200, 200)
        assert len(served.sent()) == 2
