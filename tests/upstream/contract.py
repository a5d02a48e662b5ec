"""What every Backend keeps; a backend's test subclasses this with its own way to get one."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager

import pytest

from claude_proxy.errors import UpstreamDisconnected, UpstreamTimeout, UpstreamUnreachable
from claude_proxy.upstream.base import Backend, UpstreamRequest
from tests.support.raw import LAST_CHUNK, SSE_HEAD, Connection, Play, RawServer, answer, chunk

ASK = UpstreamRequest("POST", "/v1/messages?beta=true", b'{"a": 1}', {"anthropic-beta": "x"})


class BackendContract:
    """`backend` opens a backend whose upstream is played by the given function."""

    def backend(self, play: Play, **settings: object) -> AbstractAsyncContextManager[tuple[Backend, RawServer]]:
        raise NotImplementedError

    async def test_the_reply_has_status_lower_case_headers_and_the_body_as_it_came(self) -> None:
        async def play(peer: Connection) -> None:
            await peer.request()
            await peer.send(answer(b"\xff\x00body", "418 Odd", b"Request-ID: req_1"))

        async with self.backend(play) as (backend, _), backend.send(ASK) as reply:
            assert reply.status == 418
            assert reply.headers["request-id"] == "req_1"
            assert await reply.read() == b"\xff\x00body"

    async def test_method_path_query_and_body_arrive_unchanged(self) -> None:
        async def play(peer: Connection) -> None:
            await peer.request()
            await peer.send(answer(b""))

        async with self.backend(play) as (backend, upstream), backend.send(ASK) as reply:
            await reply.read()
        head, _, body = upstream.requests[0].partition(b"\r\n\r\n")
        assert head.startswith(b"POST /v1/messages?beta=true HTTP/1.1\r\n")
        assert body == b'{"a": 1}'

    async def test_data_arrives_while_the_reply_goes_on(self) -> None:
        more = asyncio.Event()

        async def play(peer: Connection) -> None:
            await peer.request()
            await peer.send(SSE_HEAD + chunk(b"one"))
            await more.wait()
            await peer.send(chunk(b"two") + LAST_CHUNK)

        async with self.backend(play) as (backend, _), backend.send(ASK) as reply:
            data = aiter(reply.data())
            assert await anext(data) == b"one"
            more.set()
            assert [part async for part in data] == [b"two"]

    async def test_a_cancelled_read_loses_nothing(self) -> None:
        more = asyncio.Event()

        async def play(peer: Connection) -> None:
            await peer.request()
            await peer.send(SSE_HEAD)
            await more.wait()
            await peer.send(chunk(b"late") + LAST_CHUNK)

        async with self.backend(play) as (backend, _), backend.send(ASK) as reply:
            data = reply.data()
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0):
                    await anext(data)
            more.set()
            assert [part async for part in data] == [b"late"]

    async def test_leaving_early_ends_the_request_at_once(self) -> None:
        left = asyncio.Event()

        async def play(peer: Connection) -> None:
            await peer.request()
            await peer.send(SSE_HEAD + chunk(b"one"))
            await peer.gone()
            left.set()

        async with self.backend(play) as (backend, _):
            async with backend.send(ASK) as reply:
                await anext(aiter(reply.data()))
            await asyncio.wait_for(left.wait(), 5)

    @pytest.mark.parametrize("rest", [b"", chunk(b"x")[:-3], b"zz\r\nbroken", b"5\r\nab"])
    async def test_a_body_that_ends_before_its_end_is_an_error(self, rest: bytes) -> None:
        async def play(peer: Connection) -> None:
            await peer.request()
            await peer.send(SSE_HEAD + chunk(b"one"))
            await peer.send(rest)

        async with self.backend(play) as (backend, _):
            with pytest.raises(UpstreamDisconnected):
                async with backend.send(ASK) as reply:
                    await _drained(reply.data())

    async def test_a_reset_within_the_body_is_an_error(self) -> None:
        async def play(peer: Connection) -> None:
            await peer.request()
            await peer.send(SSE_HEAD + chunk(b"one"))
            await asyncio.wait_for(seen.wait(), 5)
            peer.reset()

        seen = asyncio.Event()
        async with self.backend(play) as (backend, _), backend.send(ASK) as reply:
            data = aiter(reply.data())
            assert await anext(data) == b"one"
            seen.set()
            with pytest.raises(UpstreamDisconnected):
                await _drained(data)

    async def test_an_invalid_chunk_on_a_connection_that_stays_open_is_an_error(self) -> None:
        async def play(peer: Connection) -> None:
            await peer.request()
            await peer.send(SSE_HEAD + chunk(b"one"))
            await asyncio.wait_for(seen.wait(), 5)
            await peer.send(b"this is no chunk\r\n")
            await peer.gone()

        seen = asyncio.Event()
        async with self.backend(play) as (backend, _), backend.send(ASK) as reply:
            data = aiter(reply.data())
            assert await anext(data) == b"one"
            seen.set()
            with pytest.raises(UpstreamDisconnected):
                await asyncio.wait_for(_drained(data), 5)

    async def test_silence_within_the_body_is_a_timeout(self) -> None:
        async def play(peer: Connection) -> None:
            await peer.request()
            await peer.send(SSE_HEAD + chunk(b"one"))
            await peer.gone()

        async with self.backend(play, read_timeout=0.05) as (backend, _), backend.send(ASK) as reply:
            with pytest.raises(UpstreamTimeout):
                await _drained(reply.data())

    async def test_silence_before_the_reply_is_a_timeout(self) -> None:
        async def play(peer: Connection) -> None:
            await peer.gone()

        async with self.backend(play, first_byte_timeout=0.05) as (backend, _):
            with pytest.raises(UpstreamTimeout, match=r"not begun to answer within 0\.05 s"):
                async with backend.send(ASK):
                    pass

    @pytest.mark.parametrize("early", [b"", chunk(b"one")])
    async def test_silence_within_the_body_has_a_bound_of_its_own(self, early: bytes) -> None:
        async def play(peer: Connection) -> None:
            await peer.request()
            await peer.send(SSE_HEAD + early)
            await peer.gone()

        async with (
            self.backend(play, first_byte_timeout=600, read_timeout=0.05) as (backend, _),
            backend.send(ASK) as reply,
        ):
            with pytest.raises(UpstreamTimeout, match="silent"):
                await asyncio.wait_for(_drained(reply.data()), 5)

    async def test_nobody_there_is_unreachable(self) -> None:
        async def play(_: Connection) -> None:
            pass

        async with self.backend(play) as (backend, upstream):
            pass
        async with self.backend(play, base_url=upstream.url) as (backend, _):
            with pytest.raises(UpstreamUnreachable):
                async with backend.send(ASK):
                    pass


async def _drained(data: AsyncIterator[bytes]) -> None:
    async for _ in data:
        pass
