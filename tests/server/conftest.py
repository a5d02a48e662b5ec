"""What the tests of the server share: the server as it is run, on a loopback socket, in front of a played upstream."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass

import aiohttp
import pytest

from claude_proxy.config import load
from claude_proxy.credentials.chain import CredentialChain
from claude_proxy.credentials.environment import EnvironmentVariable
from claude_proxy.server.app import proxy_app
from claude_proxy.server.binding import bind
from claude_proxy.server.lifecycle import Server
from claude_proxy.server.state import STATE, State
from claude_proxy.upstream.factory import make_backend
from tests.support.raw import Connection, Play, RawServer, answer, raw_server

KEY = "sk-ant-api03-" + "test" * 8
MODELS = b'{"data":[{"id":"claude-sonnet-5","created_at":"2026-01-02T00:00:00Z","line":"sonnet"}],"has_more":false}'


@dataclass
class Served:
    """The server at `url`, with `client` to ask it and `upstream` behind it."""

    url: str
    client: aiohttp.ClientSession
    upstream: RawServer
    state: State
    server: Server

    def sent(self) -> list[bytes]:
        """The requests that went upstream, without those for the list of models."""
        return [each for each in self.upstream.requests if not each.startswith(b"GET /v1/models?")]


Serve = Callable[..., AbstractAsyncContextManager[Served]]


async def empty(peer: Connection) -> None:
    """An upstream that answers each request with an empty object."""
    while True:
        await peer.request()
        await peer.send(answer(b"{}", "200 OK", b"content-type: application/json"))


def _with_models(play: Play) -> Play:
    """`play`, after a request for the list of models was answered: the server asks for it when it starts."""

    async def talk(peer: Connection) -> None:
        ask = peer.request

        async def request() -> bytes:
            while True:
                whole = await ask()
                if not whole.startswith(b"GET /v1/models?"):
                    return whole
                await peer.send(answer(MODELS, "200 OK", b"content-type: application/json"))

        peer.request = request  # type: ignore[method-assign] # this one peer knows how to list models
        await play(peer)

    return talk


@asynccontextmanager
async def _serve(
    play: Play = empty, *, credential: bool = True, key: str = KEY, **settings: object
) -> AsyncIterator[Served]:
    async with raw_server(_with_models(play)) as upstream:
        config = load({"base_url": upstream.url, "retries": 0, **settings}, {})
        # One source, because asking the system keyring starts a process, and these servers come by the hundred.
        source = EnvironmentVariable("ANTHROPIC_API_KEY", "api_key", {"ANTHROPIC_API_KEY": key} if credential else {})
        chain = CredentialChain([source], config)
        backend = make_backend(config, chain, {})
        app = proxy_app(config, backend, chain, nonce="a-nonce")
        server = Server(app)
        try:
            url = await server.start(bind("127.0.0.1", 0), "127.0.0.1")
            async with aiohttp.ClientSession(url, headers={"Content-Type": "application/json"}) as client:
                yield Served(url, client, upstream, app[STATE], server)
        finally:
            await server.close()
            await backend.close()


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch) -> Serve:
    """Opens a server whose upstream is played by the given function, with the given settings."""
    monkeypatch.setattr("claude_proxy.server.connection.LINGER", 0.05)
    return _serve
