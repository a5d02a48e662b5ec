"""POST /v1/messages and its count_tokens: Anthropic's own API, bytes untouched both ways, with our credential."""

from collections.abc import Mapping

import msgspec
from aiohttp import web

from claude_proxy.dialects.base import ErrorReport
from claude_proxy.errors import error_kind
from claude_proxy.log import one_line
from claude_proxy.redaction import redactor
from claude_proxy.server.exchange import BODY, EXCHANGE
from claude_proxy.server.headers import header_safe
from claude_proxy.server.state import STATE
from claude_proxy.server.stream import open_stream
from claude_proxy.upstream.base import NativeRequest

_ASKED = ("accept", "content-type", "x-stainless-retry-count")
_ANSWERED = ("content-type", "request-id", "retry-after", "retry-after-ms", "x-should-retry")


async def messages(request: web.Request) -> web.StreamResponse:
    return await forward(request, "/v1/messages")


async def count_tokens(request: web.Request) -> web.StreamResponse:
    return await forward(request, "/v1/messages/count_tokens")


async def forward(request: web.Request, path: str) -> web.StreamResponse:
    """Ask upstream's `path` with this request's method, query and body, and hand on what it answers."""
    _, mark, query = request.raw_path.partition("?")
    body = request.get(BODY)
    if body:
        request[EXCHANGE].model = _model(body)
    sent = NativeRequest(
        "GET" if request.method == "HEAD" else request.method,  # aiohttp leaves out the body of a reply to HEAD
        path + mark + query,
        body=body,
        headers=_request_headers(request),
    )
    with await request.app[STATE].backend.native(sent) as upstream:
        headers = header_safe(_kept(upstream.headers, _ANSWERED))
        if "request-id" in headers:
            headers["x-request-id"] = headers["request-id"]
        if not upstream.headers.get("content-type", "").startswith("text/event-stream"):
            body = await upstream.read()
            if upstream.status >= 400:
                request[EXCHANGE].error = _refusal(upstream.status)
                body = redactor.redact_bytes(body)  # an error may quote the headers that upstream got
            return web.Response(status=upstream.status, body=body, headers=headers)
        async with open_stream(request, headers) as client:
            await upstream.feed(client.sink())
    return client


def _request_headers(request: web.Request) -> dict[str, str]:
    """The client's headers that go upstream. `anthropic-beta` is a list, so repeated headers are joined."""
    headers = _kept(request.headers, _ASKED)
    if betas := request.headers.getall("anthropic-beta", []):
        headers["anthropic-beta"] = ",".join(betas)
    return headers


def _refusal(status: int) -> ErrorReport:
    kind = error_kind(status)
    return ErrorReport(status, kind.anthropic, None, f"upstream answered {status}")


class _Named(msgspec.Struct):
    model: str | None = None


def _model(body: bytes) -> str | None:
    """The model that is asked for, for the log; what cannot be read is upstream's to refuse."""
    try:
        name = msgspec.json.decode(body, type=_Named).model
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    return name and one_line(name)[:100]


def _kept(headers: Mapping[str, str], names: tuple[str, ...]) -> dict[str, str]:
    lower = ((name.lower(), value) for name, value in headers.items())
    return {name: value for name, value in lower if name in names or name.startswith("anthropic-")}
