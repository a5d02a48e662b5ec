"""Who may come in: one question about a request's head, asked before a byte of its body is looked at.

Whoever reaches this port spends the user's account, and every web page the user opens can try. So a request
must name this machine as its host (DNS rebinding), must not come from a page (`Origin`, `Sec-Fetch-Site`)
unless that page's origin is configured, and must carry JSON when it carries a body: a page cannot send that
to another origin without asking first, and asking is answered for configured origins alone.
"""

import asyncio
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from aiohttp import HttpVersion10, HttpVersion11, web
from aiohttp.typedefs import Handler
from multidict import CIMultiDict, CIMultiDictProxy

from claude_proxy.config import Config
from claude_proxy.errors import (
    Forbidden,
    InvalidRequest,
    PayloadTooLarge,
    ProxyError,
    Unauthorized,
    UnsupportedMediaType,
)
from claude_proxy.server.exchange import BODY

Headers = CIMultiDict[str] | CIMultiDictProxy[str]

LOCAL_HOSTS = frozenset({"localhost", "127.0.0.1", "[::1]"})  # 0.0.0.0 and [::] are reachable, and no names of ours
BODY_DEADLINE = 120.0  # 32 MB over a slow tunnel; a client that drips is not worth a connection

MAX_KNOWN_HOSTS = 64

_HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::([0-9]{1,5}))?")
_DEFAULT_PORTS = {"http": 80, "https": 443}
# What the OpenAI and Anthropic SDKs send from a page, `x-stainless-*` above all.
_HEADERS_OF_SDKS = re.compile(
    r"accept|authorization|content-type|user-agent|x-api-key|x-request-id|http-referer|x-title"
    r"|(?:x-stainless|anthropic|openai)-[a-z0-9-]{1,40}"
)
_EXPOSED = (
    "x-request-id, retry-after, retry-after-ms, openai-processing-ms, openai-version, x-claude-proxy-warnings, "
    "x-ratelimit-limit-requests, x-ratelimit-remaining-requests, x-ratelimit-reset-requests, "
    "x-ratelimit-limit-tokens, x-ratelimit-remaining-tokens, x-ratelimit-reset-tokens"
)


@dataclass
class Policy:
    """Who may come in, as the settings say; the key stays what it was at the start."""

    hosts: frozenset[str]
    origins: frozenset[str]
    max_body: int
    key: bytes | None = field(default=None, repr=False)
    known_hosts: set[str] = field(default_factory=set, repr=False)  # Host headers that were found good, as they were

    @classmethod
    def of(cls, config: Config, key: bytes | None = None) -> "Policy":
        origins = (_origin(text) for text in config.allowed_origins)
        return cls(
            hosts=LOCAL_HOSTS | {host.lower() for host in config.allowed_hosts},
            origins=frozenset(origin for origin in origins if origin is not None),
            max_body=config.max_body,
            key=key,
        )

    def renew(self, config: Config) -> None:
        """Take up the hosts and origins of `config`, for the requests to come."""
        fresh = Policy.of(config)
        self.hosts, self.origins = fresh.hosts, fresh.origins
        self.known_hosts.clear()

    def allows_host(self, host: str) -> bool:
        """Whether a Host header names this machine."""
        if host in self.known_hosts:
            return True
        found = _HOST.fullmatch(host)
        if found is None or not {found[1].lower(), host.lower()} & self.hosts:
            return False
        if len(self.known_hosts) < MAX_KNOWN_HOSTS:
            self.known_hosts.add(host)
        return True

    def allows_origin(self, origin: str) -> bool:
        return _origin(origin) in self.origins


def refusal(method: str, target: str, headers: Headers, policy: Policy) -> ProxyError | None:
    """Why a request with this head may not come in; None lets it in."""
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
    # Health is for whoever starts and watches the process; a browser asks its preflight without the key.
    if policy.key is None or target == "/health" or is_preflight(method, headers):
        return None
    scheme, _, token = headers.get("Authorization", "").partition(" ")
    given = token.strip() if scheme.lower() == "bearer" else headers.get("X-Api-Key", "")
    if hmac.compare_digest(given.encode("utf-8", "surrogateescape"), policy.key):
        return None
    return Unauthorized("Incorrect API key provided", hint="it stands in `api_key_file`")


def is_preflight(method: str, headers: Headers) -> bool:
    """Whether a browser asks for permission, rather than for an answer."""
    return method == "OPTIONS" and "Origin" in headers and "Access-Control-Request-Method" in headers


def _body_refusal(method: str, headers: Headers, policy: Policy) -> ProxyError | None:
    if headers.get("Content-Encoding", "identity").lower() != "identity":
        return UnsupportedMediaType("compressed request bodies are not accepted", hint="send the JSON as it is")
    if method in ("POST", "PUT", "PATCH"):
        types = headers.getall("Content-Type", [])
        if len(types) != 1 or types[0].partition(";")[0].strip().lower() != "application/json":
            return UnsupportedMediaType("the Content-Type of a request with a body must be application/json")
    length = headers.get("Content-Length", "0")
    if length.isascii() and length.isdigit() and int(length[:20]) > policy.max_body:
        return _too_large(policy)
    return None


def _too_large(policy: Policy) -> PayloadTooLarge:
    return PayloadTooLarge(f"the request body is larger than {policy.max_body} bytes", hint="the setting is `max_body`")


def _origin(text: str) -> str | None:
    """`text` as scheme://host:port with the port written out; None for what is no origin, such as `null`."""
    try:
        url = urlsplit(text)
        port = url.port or _DEFAULT_PORTS.get(url.scheme)
    except ValueError:
        return None
    if (
        not url.scheme
        or not url.hostname
        or "@" in url.netloc
        or text.lower() != f"{url.scheme}://{url.netloc}".lower()
    ):
        return None
    return f"{url.scheme}://{url.hostname}:{port}"


# ------------------------------------------------------------------------------------------------ at the door


POLICY = web.AppKey("policy", Policy)
# Endpoints that only say why they are not there: whatever comes to them, that is the better answer.
REFUSING = web.AppKey("refusing", frozenset[Handler])


@web.middleware
async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Let a request in with its whole body read, or raise the ProxyError that says why not."""
    policy = request.app[POLICY]
    if request.version not in (HttpVersion10, HttpVersion11):  # aiohttp takes any, 0.9 and 2.0 too
        raise InvalidRequest("this server speaks HTTP/1.1", code="invalid_http")
    if (error := refusal(request.method, request.raw_path, request.headers, policy)) is not None:
        if isinstance(error, UnsupportedMediaType) and request.match_info.handler in request.app[REFUSING]:
            return await handler(request)
        raise error
    if is_preflight(request.method, request.headers):
        return _preflight(request)
    if request.body_exists:
        request[BODY] = await _body(request, policy)
    return await handler(request)


async def _body(request: web.Request, policy: Policy) -> bytes:
    try:
        if request.content.is_eof():  # it came with the head, as small ones do
            body = request.content.read_nowait()
            if len(body) > policy.max_body:
                raise _too_large(policy)
            return body
        async with asyncio.timeout(BODY_DEADLINE):
            return await _joined(request, policy)
    except TimeoutError:
        raise InvalidRequest("the request body did not arrive in time", code="request_timeout") from None
    except (web.RequestPayloadError, ValueError) as exc:
        raise InvalidRequest("the request body is broken") from exc


async def _joined(request: web.Request, policy: Policy) -> bytes:
    """The body, copied once. aiohttp's own `read` copies it three times: 2 ms a MB."""
    parts: list[bytes] = []
    size = 0
    while True:
        part, is_end_of_chunk = await request.content.readchunk()
        if not part and not is_end_of_chunk:
            return b"".join(parts)
        size += len(part)
        if size > policy.max_body:
            raise _too_large(policy)
        parts.append(part)


async def expect(request: web.Request) -> None:
    """Answer `Expect: 100-continue`, but only to those who will be let in."""
    if refusal(request.method, request.raw_path, request.headers, request.app[POLICY]) is None:
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")


def _preflight(request: web.Request) -> web.Response:
    asked = request.headers.get("Access-Control-Request-Headers", "").lower().split(",")
    allowed = (name for name in map(str.strip, asked) if _HEADERS_OF_SDKS.fullmatch(name))
    return web.Response(
        status=204,
        headers={
            "Access-Control-Allow-Methods": "GET, POST, DELETE",
            "Access-Control-Allow-Headers": ", ".join(allowed),
            "Access-Control-Max-Age": "600",
        },
    )


def cors_headers(headers: Headers, policy: Policy) -> Mapping[str, str]:
    """What a page of a configured origin needs to read the reply; nothing at all while none is configured."""
    if not policy.origins:
        return {}
    origin = headers.get("Origin")
    if origin is None or not policy.allows_origin(origin):
        return {"Vary": "Origin"}
    return {"Vary": "Origin", "Access-Control-Allow-Origin": origin, "Access-Control-Expose-Headers": _EXPOSED}
