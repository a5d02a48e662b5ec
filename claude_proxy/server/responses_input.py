"""POST responses/input_tokens and responses/compact: the size of a request's input, and a summary in its place."""

import msgspec
from aiohttp import web
from msgspec import Raw, Struct

from claude_proxy.dialects.responses.dialect import RESPONSES, ResponseRequest
from claude_proxy.errors import InvalidRequest
from claude_proxy.server.chat import sending
from claude_proxy.server.exchange import BODY, EXCHANGE
from claude_proxy.server.generation import Generation, own_id
from claude_proxy.server.headers import header_safe
from claude_proxy.server.lists import json_response
from claude_proxy.server.response_store import RESPONSE_STORE
from claude_proxy.server.state import STATE


async def input_tokens(request: web.Request) -> web.StreamResponse:
    ask = await _prepared(request)
    with Generation(request.app[STATE], request[EXCHANGE], ask, sending(request)) as generation:
        count = await generation.count_tokens()
    return json_response(msgspec.json.encode({"object": "response.input_tokens", "input_tokens": count}))


class _Summarised(Struct):
    id: str
    created_at: int
    status: str
    output: list[Raw]
    usage: Raw


_read_summarised = msgspec.json.Decoder(_Summarised).decode


async def compact(request: web.Request) -> web.StreamResponse:
    ask = await _prepared(request)
    ask.compact = True
    with Generation(request.app[STATE], request[EXCHANGE], ask, sending(request)) as generation:
        await generation.begin()
        headers = header_safe(generation.headers)
        response = _read_summarised(await generation.fold())
    if response.status != "completed":
        raise InvalidRequest(
            "The summary is too long for the model; send a shorter conversation.", code="context_length_exceeded"
        )
    body = {
        "id": response.id,
        "object": "response.compaction",
        "created_at": response.created_at,
        "output": response.output,
        "usage": response.usage,
    }
    return web.Response(body=msgspec.json.encode(body), content_type="application/json", headers=headers)


async def _prepared(request: web.Request) -> ResponseRequest:
    """The request with its history; it is neither stored nor streamed."""
    ask = RESPONSES.read(request.get(BODY, b""))
    await request.app[RESPONSE_STORE].prepare(ask, own_id(request[EXCHANGE]))
    return ask
