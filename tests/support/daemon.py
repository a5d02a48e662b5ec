"""The daemon with the simulator behind it, on real loopback sockets: in the test's own loop, or as a process."""

import json
import subprocess
import sys
from collections import deque
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aiohttp import web

from claude_proxy.config import load
from claude_proxy.credentials.chain import CredentialChain
from claude_proxy.credentials.environment import EnvironmentVariable
from claude_proxy.server.app import proxy_app
from claude_proxy.server.binding import bind
from claude_proxy.server.lifecycle import Server
from claude_proxy.simulator.app import SENT, Options, Sent, simulator_app
from claude_proxy.store.store import Store
from claude_proxy.upstream.factory import make_backend
from tests.support.judge import assert_valid_upstream

KEY = "sk-ant-api03-" + "test" * 8


@dataclass(frozen=True)
class Daemon:
    """A daemon that listens at `url`; `sent` is what its upstream has received."""

    url: str
    sent: deque[Sent]

    @property
    def openai(self) -> str:
        return f"{self.url}/openai/v1"

    @property
    def bodies(self) -> list[dict[str, Any]]:
        """The bodies of the messages requests that upstream has received, oldest first."""
        return [json.loads(sent.body) for sent in self.sent if sent.path.split("?")[0] == "/v1/messages"]


@asynccontextmanager
async def listening(app: web.Application) -> AsyncIterator[str]:
    """Serve `app`, which is not the daemon, on a free loopback port; yields its address."""
    runner = web.AppRunner(app, handler_cancellation=True, access_log=None, shutdown_timeout=1)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


@asynccontextmanager
async def daemon(
    *, options: Options | None = None, port: int = 0, store_file: Path | None = None, **settings: object
) -> AsyncIterator[Daemon]:
    """A daemon on a simulator, both in this loop. Afterwards every request sent upstream is validated.

    Without a `store_file` it keeps nothing.
    """
    simulator = simulator_app(options or Options(record=1000))
    async with (
        listening(simulator) as upstream,
        proxied(upstream, port=port, store_file=store_file, **settings) as url,
    ):
        yield Daemon(url, simulator[SENT])
    judge(simulator[SENT])


@asynccontextmanager
async def proxied(
    upstream: str, *, port: int = 0, store_file: Path | None = None, **settings: object
) -> AsyncIterator[str]:
    """A daemon whose upstream is at `upstream`; yields its address. Port 0 is a free one."""
    config = load({"base_url": upstream, "retries": 0, **settings}, {})
    # One source only: asking the system keyring starts a process, too slow for hundreds of daemons.
    chain = CredentialChain([EnvironmentVariable("ANTHROPIC_API_KEY", "api_key", {"ANTHROPIC_API_KEY": KEY})], config)
    backend = make_backend(config, chain, {})
    store = Store(store_file) if store_file else None
    server = Server(proxy_app(config, backend, chain, store=store))
    try:
        yield await server.start(bind("127.0.0.1", port), "127.0.0.1")
    finally:
        await server.close()
        if store is not None:
            await store.close()
        await backend.close()


def judge(sent: deque[Sent]) -> None:
    """Fail unless every request for a message in `sent` is one that Anthropic's own SDK could have made."""
    for request in sent:
        if request.path.split("?")[0] == "/v1/messages":
            assert_valid_upstream(json.loads(request.body))


@contextmanager
def daemon_process(*arguments: str) -> Iterator[str]:
    """`claude-proxy start --simulator` as a user runs it, on a free port; yields its address. Stops it afterwards."""
    claude_proxy("start", "--simulator", "--port=0", *arguments)
    try:
        yield str(json.loads(claude_proxy("status", "--json"))["url"])
    finally:
        claude_proxy("stop")


def claude_proxy(*arguments: str) -> str:
    """What the command line prints to stdout; a failure shows both its streams."""
    command = [sys.executable, "-m", "claude_proxy", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
