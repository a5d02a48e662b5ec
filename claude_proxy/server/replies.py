"""Around each request: its record, and a reply for each exception that is raised.

Before a reply has begun an error is a status with a body; within a stream it is one event, and the stream's end (see
`stream`). A client that left is not an error, and is told nothing.
"""

import asyncio
import random
import secrets
from collections.abc import Mapping

from aiohttp import web
from aiohttp.typedefs import Handler

from claude_proxy.dialects.base import Dialect, ErrorReport
from claude_proxy.log import one_line
from claude_proxy.server.exchange import EXCHANGE, Exchange, client_name
from claude_proxy.server.failures import failure_of
from claude_proxy.server.headers import header_safe
from claude_proxy.server.routing import route_of
from claude_proxy.server.state import STATE

# Ids need not be unpredictable; a generator of our own avoids a call to the system for each.
_random_bits = random.Random(secrets.randbits(128)).getrandbits  # noqa: S311


def new_id() -> str:
    """The id of a request, until upstream gives one."""
    return f"req_{_random_bits(96):024x}"


@web.middleware
async def replies(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Give the request its record, turn what is raised into a reply, and tell the observers at the end."""
    state = request.app[STATE]
    exchange = request[EXCHANGE] = _exchange(request)
    state.begin(exchange)
    try:
        response = await _response(request, handler)
        exchange.status = response.status
        exchange.id = response.headers.get("X-Request-ID", exchange.id)
        return response
    finally:
        state.finish(exchange)


async def _response(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except BaseException as exc:
        error = failure_of(request, exc)
        if error is None and not isinstance(exc, Exception):
            raise
    if error is None:  # raised here, behind the handler: it then holds no frame of the handler's
        raise ConnectionResetError("the client has left")
    exchange = request[EXCHANGE]
    response = error_response(error, exchange.dialect, exchange.id)
    if not request.content.at_eof():  # the rest of its body is not worth reading
        response.force_close()
    return response


def error_response(error: ErrorReport, dialect: Dialect, request_id: str) -> web.Response:
    return web.Response(
        status=error.status,
        body=dialect.error_body(error, request_id),
        content_type="application/json",
        headers=header_safe(error.headers),
    )


def _exchange(request: web.Request) -> Exchange:
    route = route_of(request)
    native = route.native is not None and is_anthropic_client(request.headers)
    return Exchange(
        id=new_id(),
        method=request.method,
        path=one_line(request.path)[:200],
        client=client_name(request.headers.get("User-Agent", "")),
        dialect=route.native if native and route.native is not None else route.dialect,
        quiet=route.quiet,
        task=asyncio.current_task(),
    )


def is_anthropic_client(headers: Mapping[str, str]) -> bool:
    """Whether a request to a path that both APIs have comes from a client of Anthropic's."""
    return "anthropic-version" in headers or ("x-api-key" in headers and "authorization" not in headers)
