"""Whether a request may come in: decided by its head, before a byte of its body is looked at.

Every program that reaches this port can spend the user's account, and every web page that the user opens can try. So a
request must name this machine as its host (DNS rebinding), must not come from a page (`Origin`, `Sec-Fetch-Site`)
unless that page's origin is configured, and must carry JSON when it carries a body: a page cannot send that to another
origin without a preflight, and a preflight is answered for configured origins alone.
"""

import hmac
import re

from aiohttp import HttpVersion10, HttpVersion11, web
from aiohttp.typedefs import Handler
from multidict import CIMultiDict, CIMultiDictProxy

from claude_proxy.errors import Forbidden, InvalidRequest, ProxyError, Unauthorized, UnsupportedMediaType
from claude_proxy.server.bodies import BUDGET, content_coding, largest_size, read_body, too_large
from claude_proxy.server.exchange import BODY
from claude_proxy.server.policy import POLICY, Policy
from claude_proxy.server.routing import route_of

Headers = CIMultiDict[str] | CIMultiDictProxy[str]

# Answered without the key where one is required, and for a session of the page as well as for the key.
PAGE_FILES = frozenset({"/page/page.js", "/page/plots.js", "/page/page.css", "/page/icon.svg", "/page/session"})
PAGE_DATA = frozenset({"/page/data", "/page/events", "/page/figures", "/page/doctor"})

# What the OpenAI and Anthropic SDKs send from a page, `x-stainless-*` above all.
_HEADERS_OF_SDKS = re.compile(
    r"accept|authorization|content-type|user-agent|x-api-key|x-request-id|http-referer|x-title"
    r"|(?:x-stainless|anthropic|openai)-[a-z0-9-]{1,40}"
)


def refusal(method: str, target: str, headers: Headers, policy: Policy) -> ProxyError | None:
    """Why a request with this head is refused; None lets it in."""
    return (
        _host_refusal(target, headers, policy)
        or _page_refusal(headers, policy)
        or _key_refusal(method, target, headers, policy)
        or _body_refusal(method, headers, policy)
    )


def _host_refusal(target: str, headers: Headers, policy: Policy) -> ProxyError | None:
    if not target.startswith("/"):
        return InvalidRequest("the request target must be a path", code="invalid_target")
    hosts = headers.getall("Host", [])
    if len(hosts) != 1:
        return InvalidRequest("a request needs exactly one Host header", code="invalid_host")
    if not policy.allows_host(hosts[0]):
        return Forbidden(
            "this Host header does not name this machine",
            code="forbidden_host",
            hint="use localhost or 127.0.0.1, or add the name to `allowed_hosts`",
        )
    return None


def _page_refusal(headers: Headers, policy: Policy) -> ProxyError | None:
    if "Origin" not in headers and "Sec-Fetch-Site" not in headers:
        return None
    origins = headers.getall("Origin", [])
    if any(not policy.allows_origin(origin) for origin in origins) or len(origins) > 1:
        return Forbidden(
            "requests from web pages are refused",
            code="forbidden_origin",
            hint="add the page's origin to `allowed_origins` if it is yours",
        )
    sites = headers.getall("Sec-Fetch-Site", [])
    if not origins and any(site.lower() not in ("none", "same-origin") for site in sites):
        return Forbidden("requests that a web page caused are refused", code="forbidden_site")
    return None


def _key_refusal(method: str, target: str, headers: Headers, policy: Policy) -> ProxyError | None:
    # A browser sends its preflight without a key.
    if policy.key is None or _is_public(method, target, headers) or is_preflight(method, headers):
        return None
    given = bearer_token(headers) or headers.get("X-Api-Key", "")
    if hmac.compare_digest(given.encode("utf-8", "surrogateescape"), policy.key):
        return None
    if method in ("GET", "HEAD") and target.partition("?")[0] in PAGE_DATA and policy.page.is_session(given):
        return None
    return Unauthorized("Incorrect API key provided", hint="the key is in the file that `api_key_file` names")


def _is_public(method: str, target: str, headers: Headers) -> bool:
    """Whether this is answered without the key: nothing of the user's is in it.

    `/health` is for supervisors, which have no key. A browser opens an address without one: it gets the page's files,
    and the exchange of a code for a session.
    """
    if target == "/" and method in ("GET", "HEAD"):
        return wants_html(headers)
    return target == "/health" or (target in PAGE_FILES and method in ("GET", "HEAD"))


def wants_html(headers: Headers) -> bool:
    """Whether a browser asks for a page to show."""
    return "text/html" in headers.get("Accept", "").lower()


def bearer_token(headers: Headers) -> str:
    """The token in `Authorization: Bearer`; empty where there is none."""
    scheme, _, token = headers.get("Authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def is_preflight(method: str, headers: Headers) -> bool:
    """Whether this is a browser's CORS preflight."""
    return method == "OPTIONS" and "Origin" in headers and "Access-Control-Request-Method" in headers


def _body_refusal(method: str, headers: Headers, policy: Policy) -> ProxyError | None:
    if content_coding(headers) is None:
        return UnsupportedMediaType("this Content-Encoding is not accepted", hint="send the JSON as it is, or as gzip")
    if method in ("POST", "PUT", "PATCH"):
        types = headers.getall("Content-Type", [])
        if len(types) != 1 or types[0].partition(";")[0].strip().lower() != "application/json":
            return UnsupportedMediaType("the Content-Type of a request with a body must be application/json")
    length = headers.get("Content-Length", "0")
    if length.isascii() and length.isdigit() and int(length[:20]) > policy.max_body:
        return too_large(policy.max_body)
    return None


@web.middleware
async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Let a request in with its whole body read, or raise the ProxyError that says why not."""
    policy = request.app[POLICY]
    if request.version not in (HttpVersion10, HttpVersion11):  # aiohttp takes any, 0.9 and 2.0 too
        raise InvalidRequest("this server speaks HTTP/1.1", code="invalid_http")
    if (error := refusal(request.method, request.raw_path, request.headers, policy)) is not None:
        if isinstance(error, UnsupportedMediaType) and route_of(request).refusing:
            return await handler(request)
        raise error
    if is_preflight(request.method, request.headers):
        return _preflight(request)
    if request.body_exists:
        return await _with_body(request, policy.max_body, handler)
    return await handler(request)


async def _with_body(request: web.Request, limit: int, handler: Handler) -> web.StreamResponse:
    """Read the body and answer the request, within the bound on all bodies together."""
    budget = request.app[BUDGET]
    size = largest_size(request, limit)
    await budget.take(size)
    try:
        body = request[BODY] = await read_body(request, limit)
        size, unused = len(body), size - len(body)
        budget.give_back(unused)
        return await handler(request)
    finally:
        budget.give_back(size)


async def expect(request: web.Request) -> None:
    """Answer `Expect: 100-continue`, but only where the request will be let in."""
    if refusal(request.method, request.raw_path, request.headers, request.app[POLICY]) is None:
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")


def _preflight(request: web.Request) -> web.Response:
    wanted = request.headers.get("Access-Control-Request-Headers", "").lower().split(",")
    allowed = (name for name in map(str.strip, wanted) if _HEADERS_OF_SDKS.fullmatch(name))
    return web.Response(
        status=204,
        headers={
            "Access-Control-Allow-Methods": "GET, POST, DELETE",
            "Access-Control-Allow-Headers": ", ".join(allowed),
            "Access-Control-Max-Age": "600",
        },
    )
