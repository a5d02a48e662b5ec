"""POST /v1/messages and its count_tokens: Anthropic's own API with our credential, bytes unchanged both ways."""

import re
from collections.abc import Mapping

import msgspec
from aiohttp import web

from claude_proxy.dialects.base import ErrorReport
from claude_proxy.errors import STATUS_OF_TYPE, error_kind
from claude_proxy.redaction import redactor
from claude_proxy.server.exchange import BODY, EXCHANGE, Exchange
from claude_proxy.server.headers import header_safe
from claude_proxy.server.native_usage import Seen, StreamWatcher, seen_in
from claude_proxy.server.state import STATE
from claude_proxy.server.stream import open_stream
from claude_proxy.upstream.base import NativeRequest, Reply
from claude_proxy.wire.anthropic import ErrorDetail, read_error

MESSAGES_PATH = "/v1/messages"
MAX_ERROR_EVENT = 64 * 1024  # bytes; an error event is below 1 KB
_ERROR_EVENT = b"event: error"
_EVENT_END = re.compile(rb"[^\n]\r?\n\r?\n")
_REQUEST_HEADERS = ("accept", "content-type", "x-stainless-retry-count")
_REPLY_HEADERS = ("content-type", "request-id", "retry-after", "retry-after-ms", "x-should-retry")


async def messages(request: web.Request) -> web.StreamResponse:
    return await forward(request, MESSAGES_PATH)


async def count_tokens(request: web.Request) -> web.StreamResponse:
    return await forward(request, "/v1/messages/count_tokens")


async def forward(request: web.Request, path: str) -> web.StreamResponse:
    """Send this request's method, query and body to upstream's `path`, and pass on its reply."""
    _, mark, query = request.raw_path.partition("?")
    exchange, state = request[EXCHANGE], request.app[STATE]
    backend = state.backend
    body = request.get(BODY)
    if body:
        exchange.model = _model(body)
    sent = NativeRequest(
        "GET" if request.method == "HEAD" else request.method,  # aiohttp leaves out the body of a reply to HEAD
        path + mark + query,
        body=body,
        headers=_request_headers(request),
    )
    exchange.backend = backend.name
    if path == MESSAGES_PATH:
        exchange.metered = True
        state.spending.check()
        exchange.upstream_requests = 1
    with await backend.native(sent) as upstream:
        state.spending.see(upstream.headers, exchange.model, succeeded=upstream.status == 200)
        headers = header_safe(_kept(upstream.headers, _REPLY_HEADERS))
        if "request-id" in headers:
            headers["x-request-id"] = headers["request-id"]
        if upstream.headers.get("content-type", "").startswith("text/event-stream"):
            return await _stream(request, upstream, headers)
        body = await upstream.read()
    if upstream.status >= 400:
        body = redactor.redact_bytes(body)  # an error may quote the headers that upstream got
        exchange.error = _refusal(upstream.status, body)
    elif path == MESSAGES_PATH:
        _record(exchange, seen_in(body))
    return web.Response(status=upstream.status, body=body, headers=headers)


async def _stream(request: web.Request, upstream: Reply, headers: dict[str, str]) -> web.StreamResponse:
    watcher, redaction = StreamWatcher(), _ErrorRedaction()
    try:
        async with open_stream(request, headers) as client:
            await upstream.pipe_to(client.passing(lambda data: redaction.feed(watcher.feed(data))))
            if rest := redaction.close():
                await client.write(rest)
    finally:
        _record(request[EXCHANGE], watcher.seen())
    return client


class _ErrorRedaction:
    """Removes secrets from the `error` event of a passing stream; all other bytes go on as they come."""

    def __init__(self) -> None:
        self._held = b""  # an error event that is not whole yet

    def feed(self, data: bytes) -> bytes:
        ready = b""
        if not self._held:
            start = 0 if data.startswith(_ERROR_EVENT) else data.find(b"\n" + _ERROR_EVENT)
            if start < 0:
                return data
            ready, data = data[:start], data[start:]
        self._held += data
        if _EVENT_END.search(self._held) is None and len(self._held) < MAX_ERROR_EVENT:
            return ready
        return ready + self.close()

    def close(self) -> bytes:
        """What is held, redacted."""
        held, self._held = self._held, b""
        return redactor.redact_bytes(held)


def _record(exchange: Exchange, seen: Seen) -> None:
    exchange.upstream_model, exchange.usage = seen.model, seen.usage
    if seen.error is not None and exchange.error is None:
        exchange.error = _report(STATUS_OF_TYPE.get(seen.error.type, 500), seen.error)


def _refusal(status: int, body: bytes) -> ErrorReport:
    try:
        return _report(status, read_error(body).error)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return _report(status, ErrorDetail())


def _report(status: int, detail: ErrorDetail) -> ErrorReport:
    message = redactor.redact(detail.message) or f"upstream answered {status}"
    return ErrorReport(status, detail.type or error_kind(status).anthropic, None, message)


def _request_headers(request: web.Request) -> dict[str, str]:
    """The client's headers that go upstream. `anthropic-beta` is a list, so repeated headers are joined."""
    headers = _kept(request.headers, _REQUEST_HEADERS)
    if betas := request.headers.getall("anthropic-beta", []):
        headers["anthropic-beta"] = ",".join(betas)
    return headers


class _Named(msgspec.Struct):
    model: str | None = None


def _model(body: bytes) -> str | None:
    """The requested model, for the record. Upstream refuses what cannot be read."""
    try:
        return msgspec.json.decode(body, type=_Named).model
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


def _kept(headers: Mapping[str, str], names: tuple[str, ...]) -> dict[str, str]:
    lower = ((name.lower(), value) for name, value in headers.items())
    return {name: value for name, value in lower if name in names or name.startswith("anthropic-")}
