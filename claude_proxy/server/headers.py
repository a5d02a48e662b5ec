"""The headers of replies: every one of ours, which of them web pages may read, and what a value may hold."""

import time
from collections.abc import Iterable, Mapping

from aiohttp import web

from claude_proxy.server.exchange import EXCHANGE
from claude_proxy.server.policy import POLICY

OPENAI_VERSION = "2020-10-01"
MAX_HEADER = 1024  # characters of a value that came from a client or from upstream

# Every header that a reply may have beside those of HTTP itself -> whether a page of an allowed origin may read it.
HEADERS: Mapping[str, bool] = {
    "x-request-id": True,
    "request-id": True,
    "openai-version": True,
    "openai-processing-ms": True,
    "openai-organization": True,
    "retry-after": True,
    "retry-after-ms": True,
    "x-should-retry": True,
    "x-ratelimit-limit-requests": True,
    "x-ratelimit-remaining-requests": True,
    "x-ratelimit-reset-requests": True,
    "x-ratelimit-limit-tokens": True,
    "x-ratelimit-remaining-tokens": True,
    "x-ratelimit-reset-tokens": True,
    "x-claude-proxy-model": True,
    "x-claude-proxy-warnings": True,
    "x-content-type-options": False,
    "content-security-policy": False,
    "x-frame-options": False,
    "referrer-policy": False,
    "cross-origin-opener-policy": False,
    "cross-origin-resource-policy": False,
    "x-accel-buffering": False,
    "server": False,
}
EXPOSED = ", ".join(name for name, exposed in HEADERS.items() if exposed)


async def add_headers(request: web.Request, response: web.StreamResponse) -> None:
    """Add what every reply has. aiohttp calls this when the head of a reply is about to be sent."""
    exchange = request.get(EXCHANGE)
    headers = response.headers
    headers["Server"] = "claude-proxy"
    headers["X-Content-Type-Options"] = "nosniff"
    headers.update(cors_headers(request))
    if exchange is None:
        return
    exchange.first_byte = time.monotonic()
    exchange.status = response.status
    exchange.id = headers.setdefault("X-Request-ID", exchange.id)
    headers.setdefault("Request-ID", exchange.id)  # where Anthropic's SDKs look for it, and some of OpenAI's clients
    if exchange.dialect.api == "openai":
        headers["OpenAI-Version"] = OPENAI_VERSION
        headers["OpenAI-Processing-Ms"] = str(round((exchange.first_byte - exchange.started) * 1000))
    if exchange.warnings:
        headers["X-Claude-Proxy-Warnings"] = warnings_value(exchange.warnings)


def cors_headers(request: web.Request) -> Mapping[str, str]:
    """What a page of a configured origin needs to read the reply; nothing while none is configured."""
    policy = request.app[POLICY]
    if not policy.origins:
        return {}
    origin = request.headers.get("Origin")
    if origin is None or not policy.allows_origin(origin):
        return {"Vary": "Origin"}
    return {"Vary": "Origin", "Access-Control-Allow-Origin": origin, "Access-Control-Expose-Headers": EXPOSED}


def warnings_value(names: Iterable[str]) -> str:
    """Parameters' names as one value. A client may have sent any text as a name: what is not ASCII is escaped."""
    return ", ".join(name.encode("unicode_escape").decode("ascii") for name in names)[:MAX_HEADER]


def header_safe(headers: Mapping[str, str]) -> dict[str, str]:
    """`headers` without those that could become two headers, each value cut to a bound."""
    return {name: value[:MAX_HEADER] for name, value in headers.items() if value.isascii() and value.isprintable()}
