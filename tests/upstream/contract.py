"""What every Backend keeps; a backend's test subclasses this with its own way to get one."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import pytest

from claude_proxy.errors import UpstreamDisconnected, UpstreamTimeout, UpstreamUnreachable
from claude_proxy.transport.sink import Wait
from claude_proxy.upstream.base import Backend, Reply
from tests.support.raw import LAST_CHUNK, SSE_HEAD, Connection, Play, RawServer, answer, chunk
from tests.support.waiting import stalled

BODY = b'{"a": 1}'


class Parts:
    """A sink that keeps what it is fed until it has `wanted` bytes; `wait` is what it asks to be awaited each time."""

    def __init__(self, wanted: float = float("inf"), wait: Wait | None = None) -> None:
        self.parts: list[bytes] = []
        self._wanted = wanted
        self._wait = wait

    @property
    def over(self) -> bool:
        return len(b"".join(self.parts)) >= self._wanted

    def feed(self, data: bytes) -> Wait | None:
        self.parts.append(data)
        return self._wait


class BackendContract:
    """`backend` opens a backend whose upstream is played by the given function."""

    def backend(self, play: Play, **settings: object) -> AbstractAsyncContextManager[tuple[Backend, RawServer]]:
        raise NotImplementedError

    @asynccontextmanager
    async def reply(self, play: Play, **settings: object) -> AsyncIterator[Reply]:
        async with self.backend(play, **settings) as (backend, _):
            with await backend.messages(BODY) as reply:
                yield reply

    async def test_the_reply_has_status_lower_case_headers_and_the_body_as_it_came(self) -> None:
        async def play(peer: Connection) -> None:
            await peer.request()
            await peer.send(answer(b"\xff\x00body", "418 Odd", b"Request-ID: req_1"))

        async with self.reply(play) as reply:
            assert reply.status == 418
            assert reply.headers["request-id"] == "req_1"
            assert await reply.read() == b"\xff\x00body"
            assert reply.ended

    async def test_the_body_and_the_beta_names_are_sent_unchanged(self) -> None:
        async def play(peer: Connection) -> None:
            await peer.request()
            await peer.send(answer(b""))

        async with self.backend(play) as (backend, upstream):
            with await backend.messages(BODY, betas=["a-2026", "b-2026"]) as reply:
                await reply.read()
        head, _, body = upstream.requests[0].partition(b"\r\n\r\n")
        assert head.startswith(b"POST /v1/messages HTTP/1.1\r\n")
        assert b"anthropic-beta: a-2026,b-2026\r\n" in head.lower() + b"\r\n"
        assert body == BODY

    async def test_data_arrives_while_the_reply_goes_on(self) -> None:
        more = asyncio.Event()

        async def play(peer: Connection) -> None:
            await peer.request()
            await peer.send(SSE_HEAD + chunk(b"one"))
            await more.wait()
            await peer.send(chunk(b"two") + LAST_CHUNK)

        async with self.reply(play) as reply:
            first, rest = Parts(wanted=3), Parts()
            await reply.pipe_to(first)
            assert (first.parts, reply.ended) == ([b"one"], False)
            more.set()
            await reply.pipe_to(rest)
            assert (rest.parts, reply.ended) == ([b"two"], True)

    async def test_a_cancelled_read_loses_nothing(self) -> None:
        more = asyncio.Event()

        async def play(peer: Connection) -> None:
            await peer.request()
            await peer.send(SSE_HEAD)
            await more.wait()
            await peer.send(chunk(b"late") + LAST_CHUNK)

        async with self.reply(play) as reply:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0):
                    await reply.pipe_to(Parts())
            more.set()
            assert await reply.read() == b"late"

    async def test_a_sink_that_wants_to_wait_gets_nothing_meanwhile_and_everything_afterwards(self) -> None:
        asked, ready = asyncio.Event(), asyncio.Event()

        async def play(peer: Connection) -> None:
            await peer.request()
            await peer.send(SSE_HEAD + chunk(b"one"))
            await asked.wait()
            await peer.send(chunk(b"two") + chunk(b"three") + LAST_CHUNK)
            ready.set()

        async def wait() -> None:
            asked.set()
            before = list(sink.parts)
            await ready.wait()
            await asyncio.sleep(0)
            assert sink.parts == before

        sink = Parts(wait=wait)
        async with self.reply(play) as reply:
            await reply.pipe_to(sink)
        assert b"".join(sink.parts) == b"onetwothree"

    async def test_upstream_is_held_back_while_nothing_is_read(self) -> None:
        sent = 0

        async def play(peer: Connection) -> None:
            nonlocal sent
            await peer.request()
            await peer.send(SSE_HEAD)
            while sent < 256:
                await peer.send(chunk(b"x" * 65536))
                sent += 1
            await peer.send(LAST_CHUNK)

        async with self.reply(play) as reply:
            assert await stalled(lambda: sent) < 256
            sink = Parts()
            await reply.pipe_to(sink)
        assert sum(map(len, sink.parts)) == 256 * 65536

    async def test_what_a_sink_raises_is_raised_where_the_reply_is_read(self) -> None:
        class Broken(Parts):
            def feed(self, data: bytes) -> None:
                raise ZeroDivisionError

        begun = asyncio.Event()

        async def play(peer: Connection) -> None:
            await peer.request()
            await peer.send(SSE_HEAD)
            await begun.wait()
            await peer.send(chunk(b"one") + LAST_CHUNK)

        async with self.reply(play) as reply:
            begun.set()
            with pytest.raises(ZeroDivisionError):
                await reply.pipe_to(Broken())

    async def test_leaving_early_ends_the_request_at_once(self) -> None:
        left = asyncio.Event()

        async def play(peer: Connection) -> None:
            await peer.request()
            await peer.send(SSE_HEAD + chunk(b"one"))
            await peer.gone()
            left.set()

        async with self.backend(play) as (backend, _):
            with await backend.messages(BODY) as reply:
                await reply.pipe_to(Parts(wanted=3))
            await asyncio.wait_for(left.wait(), 5)

    @pytest.mark.parametrize("rest", [b"", chunk(b"x")[:-3], b"zz\r\nbroken", b"5\r\nab"])
    async def test_a_body_that_ends_before_its_end_is_an_error(self, rest: bytes) -> None:
        async def play(peer: Connection) -> None:
            await peer.request()
            await peer.send(SSE_HEAD + chunk(b"one"))
            await peer.send(rest)

        async with self.reply(play) as reply:
            with pytest.raises(UpstreamDisconnected):
                await reply.read()

    async def test_a_reset_within_the_body_is_an_error(self) -> None:
        async def play(peer: Connection) -> None:
            await peer.request()
            await peer.send(SSE_HEAD + chunk(b"one"))
            await asyncio.wait_for(seen.wait(), 5)
            peer.reset()

        seen = asyncio.Event()
        async with self.reply(play) as reply:
            await reply.pipe_to(Parts(wanted=3))
            seen.set()
            with pytest.raises(UpstreamDisconnected):
                await reply.read()

    async def test_an_invalid_chunk_on_a_connection_that_stays_open_is_an_error(self) -> None:
        async def play(peer: Connection) -> None:
            await peer.request()
            await peer.send(SSE_HEAD + chunk(b"one"))
            await asyncio.wait_for(seen.wait(), 5)
            await peer.send(chunk(b"two") + b"this is no chunk\r\n")
            await peer.gone()

        seen = asyncio.Event()
        async with self.reply(play) as reply:
            await reply.pipe_to(Parts(wanted=3))
            seen.set()
            rest = Parts()
            with pytest.raises(UpstreamDisconnected):
                await asyncio.wait_for(reply.pipe_to(rest), 5)
        assert rest.parts == [b"two"]

    async def test_silence_within_the_body_is_a_timeout(self) -> None:
        async def play(peer: Connection) -> None:
            await peer.request()
            await peer.send(SSE_HEAD + chunk(b"one"))
            await peer.gone()

        async with self.reply(play, read_timeout=0.05) as reply:
            with pytest.raises(UpstreamTimeout):
                await reply.read()

    async def test_silence_before_the_reply_is_a_timeout(self) -> None:
        async def play(peer: Connection) -> None:
            await peer.gone()

        async with self.backend(play, first_byte_timeout=0.05) as (backend, _):
            with pytest.raises(UpstreamTimeout, match=r"not begun to answer within 0\.05 s"):
                await backend.messages(BODY)

    @pytest.mark.parametrize("early", [b"", chunk(b"one")])
    async def test_silence_within_the_body_has_a_bound_of_its_own(self, early: bytes) -> None:
        async def play(peer: Connection) -> None:
            await peer.request()
            await peer.send(SSE_HEAD + early)
            await peer.gone()

        async with self.reply(play, first_byte_timeout=600, read_timeout=0.05) as reply:
            with pytest.raises(UpstreamTimeout, match="nothing for too long"):
                await asyncio.wait_for(reply.read(), 5)

    async def test_a_closed_port_is_unreachable(self) -> None:
        async def play(_: Connection) -> None:
            pass

        async with self.backend(play) as (backend, upstream):
            pass
        async with self.backend(play, base_url=upstream.url) as (backend, _):
            with pytest.raises(UpstreamUnreachable):
                await backend.messages(BODY)
