"""One endpoint behind everything that stands around the endpoints, on a real loopback socket."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
from aiohttp import web
from aiohttp.typedefs import Handler

from claude_proxy.config import Config
from claude_proxy.server.binding import bind
from claude_proxy.server.exchange import STATE, State
from claude_proxy.server.guard import POLICY, REFUSING, Policy, guard
from claude_proxy.server.replies import add_headers, replies
from claude_proxy.server.run import Server


@asynccontextmanager
async def serving(handler: Handler) -> AsyncIterator[tuple[aiohttp.ClientSession, State]]:
    """A server whose one endpoint is `handler`, at POST /x and POST /v1/messages/x."""
    app = web.Application(middlewares=[replies, guard])
    app[POLICY], app[REFUSING] = Policy.of(Config()), frozenset()
    unused: Any = None
    state = app[STATE] = State(Config(), unused, unused, unused)
    app.on_response_prepare.append(add_headers)
    app.router.add_post("/x", handler)
    app.router.add_post("/v1/messages/x", handler)
    server = Server(app)
    try:
        url = await server.start(bind("127.0.0.1", 0), "127.0.0.1")
        async with aiohttp.ClientSession(url, headers={"Content-Type": "application/json"}) as client:
            yield client, state
    finally:
        await server.close()
