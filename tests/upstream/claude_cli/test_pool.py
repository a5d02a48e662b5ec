"""The pool with processes that only sleep."""

import asyncio
from collections.abc import AsyncIterator, Hashable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from claude_proxy.errors import UpstreamUnreachable
from claude_proxy.upstream.claude_cli import pool as module
from claude_proxy.upstream.claude_cli.lifeline import lifeline
from claude_proxy.upstream.claude_cli.pool import PROCESS_MEMORY, ProcessPool, process_limit
from claude_proxy.upstream.claude_cli.process import Process


class Starts:
    """Starts sleeping processes, and counts them by key."""

    def __init__(self) -> None:
        self.keys: list[Hashable] = []
        self.fails = False

    async def __call__(self, key: Hashable) -> Process:
        if self.fails:
            raise UpstreamUnreachable("no program")
        self.keys.append(key)
        return await Process.start(["/bin/sleep", "60"], environ={}, cwd=Path("/"), lifeline=lifeline())


@asynccontextmanager
async def pool(limit: int = 3, spare: int = 1) -> AsyncIterator[tuple[ProcessPool, Starts]]:
    starts = Starts()
    made = ProcessPool(starts, limit=limit, spare=spare)
    try:
        yield made, starts
    finally:
        await made.close()


async def warmed(pool: ProcessPool, key: Hashable) -> None:
    pool.warm(key)
    async with asyncio.timeout(5):
        while pool._warming is not None:  # noqa: ASYNC110 - a task of the pool
            await asyncio.sleep(0)


async def test_a_spare_process_is_used_for_its_key_only() -> None:
    async with pool() as (made, starts):
        await warmed(made, "a")
        await made.acquire("b")
        await made.acquire("a")
        assert starts.keys == ["a", "b"]


async def test_above_the_limit_requests_wait_for_an_end() -> None:
    async with pool(limit=1) as (made, starts):
        first = await made.acquire("a")
        waiting = asyncio.create_task(made.acquire("a"))
        await asyncio.sleep(0)
        assert not waiting.done()
        first.end()
        await asyncio.wait_for(waiting, 5)
        assert len(starts.keys) == 2


async def test_a_spare_process_makes_room_for_a_request() -> None:
    async with pool(limit=2) as (made, starts):
        await warmed(made, "a")
        await made.acquire("b")
        await made.acquire("c")
        assert starts.keys == ["a", "b", "c"]
        assert not made._spares


async def test_there_is_no_spare_process_while_all_places_are_taken() -> None:
    async with pool(limit=2) as (made, starts):
        await made.acquire("a")
        await made.acquire("a")
        await warmed(made, "a")
        assert len(starts.keys) == 2


async def test_a_spare_process_of_another_key_is_replaced() -> None:
    async with pool() as (made, starts):
        await warmed(made, "a")
        await warmed(made, "a")
        await warmed(made, "b")
        assert starts.keys == ["a", "b"]
        assert [spare.key for spare in made._spares] == ["b"]


async def test_a_spare_process_ends_after_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SPARE_TTL", 0.01)
    async with pool() as (made, _):
        await warmed(made, "a")
        for spare in list(made._spares):
            await spare.process.ended()
        assert not made._spares


async def test_a_start_that_fails_gives_its_place_back() -> None:
    async with pool(limit=1) as (made, starts):
        starts.fails = True
        for _ in range(2):
            with pytest.raises(UpstreamUnreachable):
                await made.acquire("a")
        await warmed(made, "a")
        starts.fails = False
        await made.acquire("a")


async def test_closing_ends_every_process() -> None:
    async with pool() as (made, _):
        used = await made.acquire("a")
        await warmed(made, "a")
        spare = made._spares[0].process
        await made.close()
        assert used.has_ended
        assert spare.has_ended
        made.warm("a")
        assert made._warming is None


@pytest.mark.parametrize(
    ("count", "memory", "limit"),
    [(6, 0, 6), (6, 2 * PROCESS_MEMORY, 2), (0, 3 * PROCESS_MEMORY, 3), (6, 1, 1), (0, 0, 1000), (2, 2**40, 2)],
)
def test_the_limit_is_the_smaller_of_both_settings(count: int, memory: int, limit: int) -> None:
    assert process_limit(count, memory) == limit
