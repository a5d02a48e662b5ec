"""What goes out: every error as a body of the client's dialect, the headers of each reply, and streams.

Nothing else turns an error into bytes. Before a reply has begun an error is a status with a body; within a
stream it is one event, and the stream's end. A client that left is not an error: nobody is there to be told.
"""

import asyncio
import logging
import random
import secrets
import time
from collections.abc import Mapping

import msgspec
from aiohttp import web
from aiohttp.typedefs import Handler

from claude_proxy.errors import ERROR_KINDS, InternalError, InvalidRequest, PayloadTooLarge, ProxyError, error_kind
from claude_proxy.log import one_line, redacted
from claude_proxy.server.exchange import EXCHANGE, STATE, Dialect, Exchange, client_name
from claude_proxy.server.guard import POLICY, cors_headers
from claude_proxy.wire import chat_reply as answers
from claude_proxy.wire.sse import data_frame

log = logging.getLogger(__name__)

OPENAI_VERSION = "2020-10-01"
MAX_HEADER = 1024  # of what goes into a header and came from a client

# An id is no secret, and nobody waits for the system's dice.
_random_bits = random.Random(secrets.randbits(128)).getrandbits  # noqa: S311
_REFUSED = frozenset({401, 403, 415})  # what knocks at the door without belonging here gets these
_QUIET = frozenset({"/health", "/status", "/"})


class Stopping(ProxyError):
    """This server was told to stop, and the reply did not end in time."""

    status = 503
    code = ERROR_KINDS[503].code

    def __init__(self) -> None:
        super().__init__("claude-proxy is stopping", hint="send the request again once it is back")


# ----------------------------------------------------------------------------------------------------- errors


def error_body(error: ProxyError, dialect: Dialect, request_id: str) -> bytes:
    """`error` as a client of `dialect` reads it; whatever looks like a secret is struck out."""
    text = redacted(error.text)
    if dialect == "anthropic":
        detail = {"type": error_kind(error.status).anthropic, "message": text}
        return msgspec.json.encode({"type": "error", "error": detail, "request_id": request_id})
    return msgspec.json.encode(answers.ErrorBody(answers.ErrorDetail(text, error.type, error.param, error.code)))


def error_event(error: ProxyError, dialect: Dialect, request_id: str) -> bytes:
    """`error` as the last event of a stream."""
    frame = data_frame(error_body(error, dialect, request_id))
    return b"event: error\n" + frame if dialect == "anthropic" else frame


def error_response(error: ProxyError, dialect: Dialect, request_id: str) -> web.Response:
    return web.Response(
        status=error.status,
        body=error_body(error, dialect, request_id),
        content_type="application/json",
        headers=header_safe(error.headers),
    )


def as_proxy_error(exc: Exception) -> ProxyError:
    """What a client is told about `exc`. An exception that nobody foresaw is logged with its traceback."""
    match exc:
        case ProxyError():
            return exc
        case web.HTTPRequestEntityTooLarge():
            return PayloadTooLarge("the request body is too large")
        case web.HTTPException() if 400 <= exc.status < 500:
            error = InvalidRequest(exc.reason)
            error.status = exc.status
            return error
    log.error("internal error", exc_info=exc)
    return InternalError("internal error", hint="the log of claude-proxy says more")


def to_tell(request: web.Request, exc: BaseException) -> ProxyError:
    """What the client is told of `exc`, which was caught while it was answered; goes to its record as well.

    Raises `exc` again where it is nobody's answer, and ConnectionResetError where nobody is there to be told.
    """
    exchange = request[EXCHANGE]
    match exc:
        case asyncio.CancelledError():
            if _has_left(request) or not request.app[STATE].stopping:
                exchange.left = True
                raise exc
            if (task := asyncio.current_task()) is not None:
                task.uncancel()
            error: ProxyError = Stopping()
        case Exception():
            if _has_left(request):
                exchange.left = True
                if not isinstance(exc, ConnectionError):
                    as_proxy_error(exc)  # nobody is there to be told, but the log is
                raise ConnectionResetError("the client has left") from exc
            error = as_proxy_error(exc)
        case _:
            raise exc
    exchange.error = one_line(redacted(f"{error.status} {error.code or error.type}: {error.text}"))[:500]
    return error


def _has_left(request: web.Request) -> bool:
    return request.transport is None or request.transport.is_closing()


# ------------------------------------------------------------------------------------------- around each reply


@web.middleware
async def replies(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Give the request its record, turn what is raised into a body, and log one line at the end."""
    state = request.app[STATE]
    exchange = request[EXCHANGE] = _exchange(request)
    state.open.add(exchange)
    try:
        response = await _answered(request, handler)
        exchange.status = response.status
        exchange.id = response.headers.get("X-Request-ID", exchange.id)
        return response
    finally:
        state.open.discard(exchange)
        state.count(exchange)
        exchange.log_end(muted=exchange.status in _REFUSED and state.refused.is_over())


async def _answered(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except BaseException as exc:  # noqa: BLE001 - the one place where anything becomes an answer
        error = to_tell(request, exc)
    exchange = request[EXCHANGE]
    response = error_response(error, exchange.dialect, exchange.id)
    if not request.content.at_eof():  # the rest of its body is not worth reading
        response.force_close()
    return response


def _exchange(request: web.Request) -> Exchange:
    path = request.path
    native = path.startswith("/v1/messages") or ("/v1/models" in path and is_anthropic_client(request.headers))
    return Exchange(
        id=f"req_{_random_bits(96):024x}",
        method=request.method,
        path=one_line(path)[:200],
        client=client_name(request.headers.get("User-Agent", "")),
        dialect="anthropic" if native else "openai",
        quiet=path in _QUIET,
        task=asyncio.current_task(),
    )


def is_anthropic_client(headers: Mapping[str, str]) -> bool:
    """Whether a request to a path that both APIs have comes from a client of Anthropic's."""
    return "anthropic-version" in headers or ("x-api-key" in headers and "authorization" not in headers)


async def add_headers(request: web.Request, response: web.StreamResponse) -> None:
    """The headers of every reply; a signal of aiohttp's, sent when a reply is about to begin."""
    exchange = request.get(EXCHANGE)
    headers = response.headers
    headers["Server"] = "claude-proxy"
    headers["X-Content-Type-Options"] = "nosniff"
    headers.update(cors_headers(request.headers, request.app[POLICY]))
    if exchange is None:
        return
    exchange.first_byte = time.monotonic()
    exchange.status = response.status
    exchange.id = headers.setdefault("X-Request-ID", exchange.id)
    if exchange.dialect == "openai":
        headers["OpenAI-Version"] = OPENAI_VERSION
        headers["OpenAI-Processing-Ms"] = str(round((exchange.first_byte - exchange.started) * 1000))
    if exchange.warnings:
        headers.update(header_safe({"X-Claude-Proxy-Warnings": ", ".join(exchange.warnings)}))


def header_safe(headers: Mapping[str, str]) -> dict[str, str]:
    """`headers` without what could become a second header, each value cut to a bound."""
    return {name: value[:MAX_HEADER] for name, value in headers.items() if value.isascii() and value.isprintable()}
