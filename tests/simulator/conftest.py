"""A simulator on a real loopback socket, and the official SDK in front of it."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack

import aiohttp
import anthropic
import msgspec
import pytest
from aiohttp import web

from claude_proxy.simulator.api_error import ApiError
from claude_proxy.simulator.app import SENT, Options, Sent, simulator_app
from claude_proxy.simulator.request_validation import count_request, messages_request
from claude_proxy.simulator.valid_request import Request
from claude_proxy.wire.anthropic import VERSION


class Simulator:
    """A running simulator: where it is, what it was sent, and a raw client for what no SDK would send."""

    headers = {"x-api-key": "test-key", "anthropic-version": "2023-06-01"}  # noqa: RUF012 - never written to

    def __init__(self, app: web.Application, url: str, session: aiohttp.ClientSession) -> None:
        self.app = app
        self.url = url
        self.session = session

    @property
    def sent(self) -> list[Sent]:
        sent = self.app[SENT]
        return list(sent)

    def post(self, path="/v1/messages", json=None, data=None, headers=None, **extra):
        return self.session.post(self.url + path, json=json, data=data, headers=self.headers | (headers or {}), **extra)

    async def refusal(self, json=None, path="/v1/messages", headers=None, data=None) -> tuple[int, str, str]:
        """Status, type and message of the error that this request ends in."""
        async with self.post(path, json=json, data=data, headers=headers) as response:
            body = await response.json()
            assert set(body) == {"type", "error", "request_id"}, body
            assert body["request_id"] == response.headers["request-id"]
            return response.status, body["error"]["type"], body["error"]["message"]


Start = Callable[..., Awaitable[Simulator]]


@pytest.fixture
async def start() -> AsyncIterator[Start]:
    """Starts simulators; each call is one of its own, with the options given."""
    async with AsyncExitStack() as stack:

        async def run(**options) -> Simulator:
            app = simulator_app(Options(**({"record": 20} | options)))
            runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=1)
            await runner.setup()
            stack.push_async_callback(runner.cleanup)
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            session = await stack.enter_async_context(aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(20)))
            return Simulator(app, f"http://127.0.0.1:{runner.addresses[0][1]}", session)

        yield run


@pytest.fixture
async def simulator(start: Start) -> Simulator:
    return await start()


@pytest.fixture
async def client(simulator: Simulator) -> AsyncIterator[anthropic.AsyncAnthropic]:
    async with anthropic.AsyncAnthropic(api_key="test-key", base_url=simulator.url, max_retries=0) as sdk:
        yield sdk


class Asked:
    """A request in the making, and what the rules say about it."""

    def __init__(self, **fields) -> None:
        defaults = {"model": "claude-opus-4-8", "max_tokens": 100, "messages": [{"role": "user", "content": "Hi"}]}
        self.body = {name: value for name, value in (defaults | fields).items() if value is not ...}

    def accepted(self, *betas: str, version: str = VERSION, counted: bool = False, **options: bool) -> Request:
        read = count_request if counted else messages_request
        return read(msgspec.json.encode(self.body), version, frozenset(betas), **options)

    def refused(self, *betas: str, version: str = VERSION, counted: bool = False, **options: bool) -> str:
        with pytest.raises(ApiError) as caught:
            self.accepted(*betas, version=version, counted=counted, **options)
        assert (caught.value.status, caught.value.type) == (400, "invalid_request_error")
        return caught.value.message


@pytest.fixture
def asked() -> type[Asked]:
    """Builds a minimal request with fields changed; `...` takes a field away."""
    return Asked
