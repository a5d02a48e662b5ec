"""One client's connection: whose it may be, how many there may be, and what aiohttp answers by itself, in our shape."""

import asyncio
import logging
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, cast

from aiohttp import web

from claude_proxy.dialects.api import OPENAI
from claude_proxy.errors import Forbidden, InternalError, InvalidRequest, ProxyError
from claude_proxy.log import one_line
from claude_proxy.server.failures import report
from claude_proxy.server.replies import error_response, new_id
from claude_proxy.transport import peer

log = logging.getLogger(__name__)

# Both the longest pause between two requests and the deadline of a head that comes in drips: aiohttp knows no
# other, and its own default of an hour is an hour of a held connection.
KEEPALIVE = 60.0
# How long the rest of a refused body is read and dropped: closing at once would take the answer from the client.
LINGER = 2.0
# Answers are small next to a second connection for asking upstream, and some descriptors are for files.
SPARE_DESCRIPTORS = 64


@dataclass
class Room:
    """How many connections there are and may be, and whether other users may have one.

    Each may need a second descriptor towards upstream.
    """

    limit: int
    same_user: bool = False
    taken: int = 0

    @classmethod
    def of(cls, descriptors: int, *, same_user: bool = False) -> "Room":
        return cls(max(8, (descriptors - SPARE_DESCRIPTORS) // 2), same_user)

    def refusal(self, transport: asyncio.Transport) -> ProxyError | None:
        """Why a connection that has just come may not stay."""
        if self.taken >= self.limit:
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
        super().__init__("claude-proxy has no room for another connection", headers={"retry-after": "1"})


def _is_ours(transport: asyncio.Transport) -> bool:
    try:
        return peer.is_ours(transport.get_extra_info("socket"))
    except OSError:  # it has gone again
        return False


class Connection(web.RequestHandler):
    """aiohttp's connection, with a bound on their number and errors in OpenAI's shape."""

    __slots__ = ("_room",)

    def __init__(self, server: web.Server, room: Room, *, loop: asyncio.AbstractEventLoop) -> None:
        silent: Any = None  # aiohttp then logs nothing; its annotation does not know
        super().__init__(
            server,
            loop=loop,
            keepalive_timeout=KEEPALIVE,
            lingering_time=LINGER,
            auto_decompress=False,
            access_log=silent,
        )
        self._room = room

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        coming = cast("asyncio.Transport", transport)
        if (error := self._room.refusal(coming)) is not None:
            _turn_away(coming, error)
            return
        self._room.taken += 1
        super().connection_made(transport)

    def connection_lost(self, exc: BaseException | None) -> None:
        self._room.taken -= 1
        super().connection_lost(exc)

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """The answer to what is not HTTP; called by aiohttp where no middleware is."""
        if isinstance(exc, ConnectionError):  # the client left, and this is how aiohttp is told
            raise exc
        if status == 400:
            log.debug("not a request: %s", exc)
            reason = one_line((message or "it cannot be read").partition("\n")[0].rstrip(":"))[:200]
            error: ProxyError = InvalidRequest(f"this is not a valid HTTP request: {reason}", code="invalid_http")
        else:
            log.error("internal error", exc_info=exc)
            error = InternalError("internal error")
        response = error_response(report(error), OPENAI, new_id())
        response.headers["Server"] = "claude-proxy"
        response.force_close()
        return response


def _turn_away(transport: asyncio.Transport, error: ProxyError) -> None:
    log.debug("a connection was turned away: %s", error.text)
    body = OPENAI.error_body(report(error), "")
    head = f"HTTP/1.1 {error.status} {HTTPStatus(error.status).phrase}\r\ncontent-type: application/json\r\n"
    head += "".join(f"{name}: {value}\r\n" for name, value in error.headers.items())
    transport.set_protocol(asyncio.Protocol())  # drops whatever comes
    transport.write(f"{head}content-length: {len(body)}\r\nconnection: close\r\n\r\n".encode() + body)
    transport.write_eof()
    # Where descriptors are short, none is kept for the sake of an answer.
    pause = 0.0 if isinstance(error, TooManyConnections) else LINGER
    asyncio.get_running_loop().call_later(pause, transport.close)
