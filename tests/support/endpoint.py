"""One endpoint behind the real middlewares, on a real loopback socket."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
from aiohttp import web
from aiohttp.typedefs import Handler

from claude_proxy.config import Config
from claude_proxy.dialects.api import MESSAGES, OPENAI
from claude_proxy.server.binding import bind
from claude_proxy.server.bodies import BUDGET, BodyBudget
from claude_proxy.server.guard import expect, guard
from claude_proxy.server.headers import add_headers
from claude_proxy.server.lifecycle import Server
from claude_proxy.server.policy import POLICY, Policy
from claude_proxy.server.replies import replies
from claude_proxy.server.routing import Route, add_routes
from claude_proxy.server.state import STATE, State


@asynccontextmanager
async def serving(handler: Handler) -> AsyncIterator[tuple[aiohttp.ClientSession, State]]:
    """A server whose one endpoint is `handler`: POST /x for OpenAI's clients, POST /v1/messages/x for Anthropic's."""
    app = web.Application(middlewares=[replies, guard])
    app[POLICY], app[BUDGET] = Policy.of(Config()), BodyBudget(0)
    unused: Any = None
    state = app[STATE] = State(Config(), unused, unused, unused)
    app.on_response_prepare.append(add_headers)
    add_routes(app, [Route("POST", "/messages/x", handler, MESSAGES)], [Route("POST", "/x", handler, OPENAI)], expect)
    server = Server(app)
    try:
        url = await server.start(bind("127.0.0.1", 0), "127.0.0.1")
        async with aiohttp.ClientSession(url, headers={"Content-Type": "application/json"}) as client:
            yield client, state
    finally:
        await server.close()
