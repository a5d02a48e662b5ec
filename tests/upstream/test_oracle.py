"""The contract against aiohttp's client: the plain, slower way to do what our own HTTP client does, as its oracle.

A test of the contract that this backend fails either asks for more than HTTP needs, or shows a difference of aiohttp's
that is named here.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Self

import aiohttp
import pytest

from claude_proxy.config import Config, load
from claude_proxy.errors import NotFound, UpstreamDisconnected, UpstreamTimeout, UpstreamUnreachable
from claude_proxy.transport.sink import Sink
from claude_proxy.upstream.base import Abilities, BackendStatus, Identity, NativeRequest
from tests.support.raw import Play, RawServer, raw_server
from tests.upstream.contract import BackendContract, Parts


class PlainReply:
    """A Reply that pulls its body out of aiohttp's stream."""

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self._response = response
        self.status = response.status
        self.headers = {name.lower(): value for name, value in response.headers.items()}

    @property
    def ended(self) -> bool:
        return self._response.content.at_eof()

    async def pipe_to(self, sink: Sink) -> None:
        while not sink.over and (data := await self._next_part()):
            if (wait := sink.feed(data)) is not None:
                await wait()

    async def read(self) -> bytes:
        body = Parts()
        await self.pipe_to(body)
        return b"".join(body.parts)

    async def _next_part(self) -> bytes:
        try:
            return await self._response.content.readany()
        except aiohttp.ServerTimeoutError as exc:
            raise UpstreamTimeout("upstream sent nothing for too long") from exc
        except aiohttp.ClientError as exc:
            raise UpstreamDisconnected("upstream closed the connection before the end of its reply") from exc

    def close(self) -> None:
        self._response.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class PlainBackend:
    """A Backend with no credential and no retries."""

    name = "plain"
    abilities = Abilities(native=False)

    def __init__(self, config: Config) -> None:
        self._config = config
        self._client = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=None, sock_read=config.read_timeout))

    async def messages(self, body: bytes, *, betas: Sequence[str] = (), client_retries: int = 0) -> PlainReply:
        headers = {"anthropic-beta": ",".join(betas)} if betas else {}
        timeout = self._config.first_byte_timeout
        try:
            async with asyncio.timeout(timeout):
                return PlainReply(
                    await self._client.post(f"{self._config.base_url}/v1/messages", data=body, headers=headers)
                )
        except TimeoutError as exc:
            raise UpstreamTimeout(f"upstream has not begun to answer within {timeout:g} s") from exc
        except aiohttp.ClientConnectorError as exc:
            raise UpstreamUnreachable("could not connect to upstream") from exc

    async def models(self, after: str | None = None) -> None:
        return None

    async def native(self, request: NativeRequest) -> PlainReply:
        raise NotFound("this backend does not pass requests on")

    async def identity(self) -> Identity:
        return Identity(self.name, "none")

    def status(self) -> BackendStatus:
        return BackendStatus(self.name)

    async def close(self) -> None:
        await self._client.close()


@asynccontextmanager
async def plain_backend(play: Play, **settings: object) -> AsyncIterator[tuple[PlainBackend, RawServer]]:
    async with raw_server(play) as upstream:
        backend = PlainBackend(load({"base_url": upstream.url, "retries": 0, **settings}, {}))
        try:
            yield backend, upstream
        finally:
            await backend.close()


class TestPlainBackend(BackendContract):
    backend = staticmethod(plain_backend)

    # aiohttp 3.14 reports an invalid chunk that arrives together with the head as a failure of the request itself.
    @pytest.mark.parametrize("rest", [b"", b"5\r\nab"])
    async def test_a_body_that_ends_before_its_end_is_an_error(self, rest: bytes) -> None:
        await super().test_a_body_that_ends_before_its_end_is_an_error(rest)

    # aiohttp 3.14 leaves the reader waiting for ever.
    test_an_invalid_chunk_on_a_connection_that_stays_open_is_an_error = None  # type: ignore[assignment]
