"""One client's connection: who may open one, how many there may be, and errors in our form for what is not HTTP."""

import asyncio
import logging
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, cast

from aiohttp import web

from claude_proxy.dialects.api import OPENAI
from claude_proxy.errors import Forbidden, InternalError, InvalidRequest, ProxyError
from claude_proxy.log import one_line, redacted
from claude_proxy.server.failures import report
from claude_proxy.server.replies import error_response, new_id
from claude_proxy.transport import peer

log = logging.getLogger(__name__)

# The longest pause between two requests, and the deadline for a request's head. aiohttp has no other setting for the
# latter, and its default of an hour would hold a connection for that long.
KEEPALIVE = 60.0
# How long the rest of a refused body is read and dropped: closing at once would take the reply from the client.
LINGER = 2.0
# Refused connections that may linger at the same time. Beyond that they are closed at once, without a reply: with
# few descriptors another user's connections would otherwise take those that the owner needs.
MAX_LINGERING = 16
# Descriptors for files and for what the process needs beside its connections.
SPARE_DESCRIPTORS = 64


@dataclass
class ConnectionLimit:
    """How many connections are open and may be, and whether other users may have one.

    Each may need a second descriptor, for the connection to upstream.
    """

    limit: int
    same_user: bool = False
    open: int = 0
    lingering: int = 0  # refused, and not closed yet

    @classmethod
    def of(cls, descriptors: int, *, same_user: bool = False) -> "ConnectionLimit":
        return cls(max(8, (descriptors - SPARE_DESCRIPTORS) // 2), same_user)

    def refusal(self, transport: asyncio.Transport) -> ProxyError | None:
        """Why a new connection is refused; None if it is not."""
        if self.open >= self.limit:
            return TooManyConnections()
        if self.same_user and not _is_ours(transport):
            return Forbidden(
                "this server is for another user of this machine",
                code="forbidden_user",
                hint="its user can allow others with `same_user = false`",
            )
        return None


class TooManyConnections(ProxyError):
    status = 503
    code = "too_many_connections"

    def __init__(self) -> None:
        super().__init__("claude-proxy has as many connections as it may open", headers={"retry-after": "1"})


def _is_ours(transport: asyncio.Transport) -> bool:
    try:
        return peer.is_ours(transport.get_extra_info("socket"))
    except OSError:  # it is closed already
        return False


class Connection(web.RequestHandler):
    """aiohttp's connection, with a bound on their number and errors in OpenAI's form."""

    __slots__ = ("_limit",)

    def __init__(self, server: web.Server, limit: ConnectionLimit, *, loop: asyncio.AbstractEventLoop) -> None:
        silent: Any = None  # aiohttp then writes no access log; its annotation does not allow None
        super().__init__(
            server,
            loop=loop,
            keepalive_timeout=KEEPALIVE,
            lingering_time=LINGER,
            auto_decompress=False,
            access_log=silent,
        )
        self._limit = limit

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        accepted = cast("asyncio.Transport", transport)
        if (error := self._limit.refusal(accepted)) is not None:
            _refuse(self._limit, accepted, error)
            return
        self._limit.open += 1
        super().connection_made(transport)

    def connection_lost(self, exc: BaseException | None) -> None:
        self._limit.open -= 1
        super().connection_lost(exc)

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """The reply to what is not HTTP; aiohttp calls it outside of all middlewares."""
        if isinstance(exc, ConnectionError):  # the client has left; aiohttp expects this exception
            raise exc
        if status == 400:
            # Only the first line: the next ones quote the request, and so a key that stands in a malformed header.
            reason = one_line(redacted((message or "it cannot be read").partition("\n")[0].rstrip(":")))[:200]
            log.debug("not a request: %s", reason)
            error: ProxyError = InvalidRequest(f"this is not a valid HTTP request: {reason}", code="invalid_http")
        else:
            log.error("internal error", exc_info=exc)
            error = InternalError("internal error")
        response = error_response(report(error), OPENAI, new_id())
        response.headers["Server"] = "claude-proxy"
        response.force_close()
        return response


class _Refused(asyncio.Protocol):
    """Drops what a refused connection sends, until it is closed."""

    def __init__(self, limit: ConnectionLimit) -> None:
        self._limit = limit
        limit.lingering += 1

    def connection_lost(self, exc: BaseException | None) -> None:
        self._limit.lingering -= 1


def _refuse(limit: ConnectionLimit, transport: asyncio.Transport, error: ProxyError) -> None:
    log.debug("a connection was refused: %s", error.text)
    is_crowded = limit.lingering >= MAX_LINGERING
    transport.set_protocol(_Refused(limit))
    if is_crowded:
        transport.abort()
        return
    body = OPENAI.error_body(report(error), "")
    head = f"HTTP/1.1 {error.status} {HTTPStatus(error.status).phrase}\r\ncontent-type: application/json\r\n"
    head += "".join(f"{name}: {value}\r\n" for name, value in error.headers.items())
    transport.write(f"{head}content-length: {len(body)}\r\nconnection: close\r\n\r\n".encode() + body)
    transport.write_eof()
    # Where descriptors are short, none is kept for the sake of a reply.
    pause = 0.0 if isinstance(error, TooManyConnections) else LINGER
    asyncio.get_running_loop().call_later(pause, transport.close)
