"""The connections to upstream: TLS, the proxy between, keep-alive, and when a pool is given up."""

import socket
import ssl
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import aiohttp

from claude_proxy.config import Config
from claude_proxy.errors import ConfigError

# Upstream's edge keeps idle connections for minutes; a new one costs two to three round trips.
KEEPALIVE = 90.0
# A burst of streams leaves as many idle connections behind. This many at once, and none of them is kept.
MOST_KEPT = 100
# Wall clock and monotonic clock part when the machine sleeps. Smaller steps are the clock being set.
SLEPT = 5.0
# A peer that is gone without a word is found out after 60 + 4 x 15 s; unanswered bytes may wait as long.
_KEEPALIVE_OPTIONS = (
    ("IPPROTO_TCP", "TCP_KEEPIDLE", 60),
    ("IPPROTO_TCP", "TCP_KEEPALIVE", 60),  # macOS's name for the same
    ("IPPROTO_TCP", "TCP_KEEPINTVL", 15),
    ("IPPROTO_TCP", "TCP_KEEPCNT", 4),
    ("IPPROTO_TCP", "TCP_USER_TIMEOUT", 120_000),
)


@dataclass
class _Session:
    client: aiohttp.ClientSession
    users: int = 0
    most: int = 0  # users at the same time, so far


class Pool:
    """One aiohttp session at a time. `retire` makes room for a fresh one; what runs on the old one may finish."""

    def __init__(self, config: Config, environ: Mapping[str, str], *, wall: Callable[[], float] = time.time) -> None:
        self._config = config
        self._tls = _tls_context(config.base_url, environ)
        self.proxy = proxy_for(config.base_url, environ)
        self._current: _Session | None = None
        self._wall = wall
        self._gap = wall() - time.monotonic()

    @asynccontextmanager
    async def session(self) -> AsyncIterator[aiohttp.ClientSession]:
        """The session for one request, open until its reply is done with. Needs a running loop."""
        gap = self._wall() - time.monotonic()
        if abs(gap - self._gap) > SLEPT:
            self._gap = gap
            await self.retire()
        session = self._current = self._current or _Session(self._open())
        session.users += 1
        session.most = max(session.most, session.users)
        try:
            yield session.client
        finally:
            session.users -= 1
            if session is self._current and not session.users and session.most > MOST_KEPT:
                self._current = None
            if session is not self._current and not session.users:
                await session.client.close()

    async def retire(self) -> None:
        """Use none of the pooled connections again: they are suspected to be dead."""
        old, self._current = self._current, None
        if old is not None and not old.users:
            await old.client.close()

    async def close(self) -> None:
        """End every connection at once."""
        old, self._current = self._current, None
        if old is not None:
            await old.client.close()

    def _open(self) -> aiohttp.ClientSession:
        config = self._config
        connector = aiohttp.TCPConnector(
            limit=0, keepalive_timeout=KEEPALIVE, ssl=self._tls or True, socket_factory=_keepalive_socket
        )
        # `trust_env` stays off: it would also read ~/.netrc, and send what stands there.
        return aiohttp.ClientSession(
            connector=connector,
            # Reading is bounded from the moment the request is sent; `HTTPReply` sets the bound within a reply.
            timeout=aiohttp.ClientTimeout(
                total=None, connect=config.connect_timeout, sock_read=config.first_byte_timeout
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
        )


def proxy_for(base_url: str, environ: Mapping[str, str]) -> str | None:
    """The proxy that HTTPS_PROXY, ALL_PROXY and NO_PROXY name for upstream; never one for a loopback upstream."""
    url = urlsplit(base_url)
    if url.scheme != "https":  # plain http is for loopback alone
        return None
    named = (_either_case(name, environ) for name in ("https_proxy", "all_proxy"))
    proxy = next(filter(None, named), None)
    if proxy is None or _bypassed(url.netloc, _either_case("no_proxy", environ)):
        return None
    if "://" not in proxy:
        proxy = "http://" + proxy
    if urlsplit(proxy).scheme not in ("http", "https") or not urlsplit(proxy).hostname:
        raise ConfigError("the proxy in HTTPS_PROXY is not an http(s) address", hint="SOCKS proxies cannot be used")
    return proxy


def _bypassed(netloc: str, no_proxy: str) -> bool:
    """Whether NO_PROXY names this host: itself or a domain above it, with or without the port."""
    names = {netloc.lower(), netloc.lower().rpartition(":")[0] or netloc.lower()}
    for entry in map(str.strip, no_proxy.lower().split(",")):
        if entry == "*" or (entry and any(f".{name}".endswith("." + entry.lstrip("*.")) for name in names)):
            return True
    return False


def _either_case(name: str, environ: Mapping[str, str]) -> str:
    return environ.get(name) or environ.get(name.upper()) or ""


def _tls_context(base_url: str, environ: Mapping[str, str]) -> ssl.SSLContext | None:
    file = environ.get("SSL_CERT_FILE")
    if not file or urlsplit(base_url).scheme != "https":
        return None
    try:
        return ssl.create_default_context(cafile=file)
    except OSError as exc:
        raise ConfigError(f"SSL_CERT_FILE {file!r} cannot be used: {exc.strerror or 'no certificate in it'}") from exc


def _keepalive_socket(address: tuple[Any, ...]) -> socket.socket:
    family, kind, protocol, *_ = address
    made = socket.socket(family, kind, protocol)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for level, name, value in _KEEPALIVE_OPTIONS:
        if (option := getattr(socket, name, None)) is not None:
            made.setsockopt(getattr(socket, level), option, value)
    return made
