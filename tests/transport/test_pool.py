import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from claude_proxy.transport import pool as module
from claude_proxy.transport.dial import ClientSettings
from claude_proxy.transport.http1 import HTTP1Connection
from claude_proxy.transport.pool import ConnectionPool
from claude_proxy.transport.reply import ConnectionLost, HTTPReply
from tests.support.raw import Connection, RawServer, answer, raw_server


async def ok(peer: Connection) -> None:
    while True:
        await peer.request()
        await peer.send(answer(b""))


@asynccontextmanager
async def pooled() -> AsyncIterator[tuple[ConnectionPool, RawServer]]:
    async with raw_server(ok) as upstream:
        pool = ConnectionPool(ClientSettings(upstream.url), {})
        yield pool, upstream
        pool.close()
        await asyncio.sleep(0)


async def begin(connection: HTTP1Connection) -> HTTPReply:
    return await connection.send_request(b"GET / HTTP/1.1\r\n\r\n", None)


async def ask(pool: ConnectionPool) -> None:
    with await begin(await pool.acquire()) as reply:
        await reply.read()


async def ask_at_once(pool: ConnectionPool, count: int) -> None:
    replies = [await begin(await pool.acquire()) for _ in range(count)]
    for reply in replies:
        await reply.read()
        reply.close()


async def test_what_netrc_holds_is_never_sent(home: Path) -> None:
    (home / ".netrc").write_text("default login somebody password of-the-user\n")
    async with pooled() as (pool, upstream):
        await ask(pool)
    assert b"authorization" not in upstream.requests[0].lower()


async def test_after_a_sleep_of_the_machine_no_old_connection_is_used() -> None:
    now = 1000.0
    async with raw_server(ok) as upstream:
        pool = ConnectionPool(ClientSettings(upstream.url), {}, wall_clock=lambda: now)
        for slept in (0.0, 1.0, 3600.0):
            now += slept
            await ask(pool)
        pool.close()
    assert upstream.connections == 2


async def test_what_runs_while_the_pool_is_retired_finishes_and_is_not_used_again() -> None:
    async with pooled() as (pool, upstream):
        running = await begin(await pool.acquire())
        pool.retire()
        await running.read()
        running.close()
        await ask(pool)
    assert upstream.connections == 2


async def test_retiring_closes_what_is_idle() -> None:
    async with pooled() as (pool, upstream):
        await ask(pool)
        pool.retire()
        await ask(pool)
    assert upstream.connections == 2


@pytest.mark.parametrize(("kept", "connections"), [(2, 2), (1, 3)])
async def test_after_a_burst_so_many_idle_connections_are_kept(
    kept: int, connections: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_IDLE", kept)
    async with pooled() as (pool, upstream):
        await ask_at_once(pool, 2)
        await ask_at_once(pool, 2)
    assert upstream.connections == connections


async def test_a_connection_that_ended_while_it_was_idle_is_not_used() -> None:
    closed = asyncio.Event()

    async def play(peer: Connection) -> None:
        await peer.request()
        await peer.send(answer(b""))
        if peer.number == 1:
            peer.writer.close()
            await peer.writer.wait_closed()
            closed.set()
        await peer.gone()

    async with raw_server(play) as upstream:
        pool = ConnectionPool(ClientSettings(upstream.url), {})
        await ask(pool)
        await closed.wait()
        for _ in range(20):  # iterations in which the pool hears of the end
            await asyncio.sleep(0)
        await ask(pool)
        pool.close()
    assert upstream.connections == 2
    assert len(upstream.requests) == 2


async def test_a_connection_on_which_something_came_unasked_is_not_used() -> None:
    async def play(peer: Connection) -> None:
        await peer.request()
        await peer.send(answer(b"") + (answer(b"nobody's") if peer.number == 1 else b""))
        await peer.gone()

    async with raw_server(play) as upstream:
        pool = ConnectionPool(ClientSettings(upstream.url), {})
        await ask(pool)
        await ask(pool)
        pool.close()
    assert upstream.connections == 2


async def test_what_is_idle_for_long_is_closed_and_what_is_not_stays() -> None:
    gone = asyncio.Event()

    async def play(peer: Connection) -> None:
        try:
            await ok(peer)
        finally:
            if peer.number == 1:
                gone.set()

    async with raw_server(play) as upstream:
        pool = ConnectionPool(ClientSettings(upstream.url), {})
        await ask_at_once(pool, 2)
        pool._idle[0].idle_since -= module.IDLE_TIMEOUT
        pool._close_expired()
        await asyncio.wait_for(gone.wait(), 5)
        next_expiry = pool._expiry
        assert next_expiry is not None  # for the other one
        await ask(pool)
        assert upstream.connections == 2
        pool._idle[0].idle_since -= module.IDLE_TIMEOUT
        pool._close_expired()
        assert pool._expiry is None
        pool.close()


async def test_a_connection_that_ends_while_it_is_given_out_is_forgotten() -> None:
    async with pooled() as (pool, _):
        connection = await pool.acquire()
        connection.close()
        await asyncio.sleep(0)
        pool._busy.add(connection)
        with pytest.raises(ConnectionLost):
            await begin(connection)
        assert not pool._busy


async def test_closing_ends_what_runs() -> None:
    left = asyncio.Event()

    async def play(peer: Connection) -> None:
        await peer.request()
        await peer.send(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n")
        await peer.gone()
        left.set()

    async with raw_server(play) as upstream:
        pool = ConnectionPool(ClientSettings(upstream.url), {})
        await begin(await pool.acquire())
        pool.close()
        await asyncio.wait_for(left.wait(), 5)


async def test_closing_or_retiring_an_unused_pool_does_nothing() -> None:
    pool = ConnectionPool(ClientSettings("https://upstream.test"), {})
    pool.retire()
    pool.close()
