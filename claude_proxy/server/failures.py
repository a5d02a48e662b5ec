"""From an exception to what is told about it. No exception object leaves this module.

An exception refers to the frames it came through, and those to the request's body: kept in a record or in a local
variable of one of these frames it would be a reference cycle that only the garbage collector ends.
"""

import asyncio
import logging

from aiohttp import web

from claude_proxy.dialects.base import ErrorReport
from claude_proxy.errors import ERROR_KINDS, InternalError, InvalidRequest, PayloadTooLarge, ProxyError
from claude_proxy.log import redacted
from claude_proxy.server.exchange import EXCHANGE
from claude_proxy.server.state import STATE

log = logging.getLogger(__name__)


class Stopping(ProxyError):
    """This server was told to stop, and the reply did not end in time."""

    status = 503
    code = ERROR_KINDS[503].code

    def __init__(self) -> None:
        super().__init__("claude-proxy is stopping", hint="send the request again once it is back")


def report(exc: Exception) -> ErrorReport:
    """What is told about `exc`; anything that looks like a secret is struck out.

    An exception that is not ours is logged with its traceback, and told as an internal error.
    """
    match exc:
        case ProxyError():
            return _report(exc)
        case web.HTTPRequestEntityTooLarge():
            return _report(PayloadTooLarge("the request body is too large"))
        case web.HTTPException() if 400 <= exc.status < 500:
            return _report(InvalidRequest(exc.reason), status=exc.status)
    log.error("internal error", exc_info=exc)
    return _report(InternalError("internal error", hint="the log of claude-proxy says more"))


def _report(error: ProxyError, status: int | None = None) -> ErrorReport:
    message = redacted(error.text)
    return ErrorReport(status or error.status, error.type, error.code, message, error.param, dict(error.headers))


def failure_of(request: web.Request, exc: BaseException) -> ErrorReport | None:
    """What the client is told about `exc`, which ended its request; also put into the request's record.

    None where there is nothing to tell: the client has left, or the process ends. The caller raises then.
    """
    exchange = request[EXCHANGE]
    if isinstance(exc, asyncio.CancelledError):
        if has_left(request) or not request.app[STATE].stopping:
            exchange.left = True
            return None
        if (task := asyncio.current_task()) is not None:
            task.uncancel()
        exchange.error = _report(Stopping())
    elif not isinstance(exc, Exception):
        return None
    elif has_left(request):
        exchange.left = True
        if not isinstance(exc, ConnectionError):
            report(exc)  # for the log
        return None
    else:
        exchange.error = report(exc)
    return exchange.error


def has_left(request: web.Request) -> bool:
    return request.transport is None or request.transport.is_closing()
