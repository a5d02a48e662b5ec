"""POST chat/completions, and what every endpoint that generates does: read, send, write."""

from aiohttp import web

from claude_proxy.dialects.base import GeneratingDialect, Request
from claude_proxy.dialects.chat.dialect import CHAT
from claude_proxy.server.exchange import BODY, EXCHANGE
from claude_proxy.server.generation import Generation, Sending
from claude_proxy.server.headers import header_safe
from claude_proxy.server.state import STATE
from claude_proxy.server.stream import open_stream
from claude_proxy.upstream.retry import client_retries


async def chat_completions(request: web.Request) -> web.StreamResponse:
    return await generate(request, CHAT)


async def generate(request: web.Request, dialect: GeneratingDialect) -> web.StreamResponse:
    request[EXCHANGE].metered = True  # also when it cannot be read
    return await answer(request, dialect.read(request.get(BODY, b"")))


async def answer(request: web.Request, ask: Request) -> web.StreamResponse:
    """Answer a request for a generation, streamed or in one body, as it asks."""
    state = request.app[STATE]
    with Generation(state, request[EXCHANGE], ask, sending(request)) as generation:
        await generation.begin()
        headers = header_safe(generation.headers)
        if not ask.stream:
            headers["Content-Type"] = "application/json"
            return web.Response(body=await generation.fold(), headers=headers)
        events = generation.streamed()
        keepalive = state.config.keepalive_interval
        async with open_stream(request, headers, events=events, keepalive=keepalive) as client:
            await generation.stream(events, client)
        if request[EXCHANGE].error is None:
            await generation.drain()
    return client


def sending(request: web.Request) -> Sending:
    """What the client's headers say about the sending; each `anthropic-beta` is a comma-separated list."""
    return Sending(request.headers.getall("anthropic-beta", []), client_retries(request.headers))
