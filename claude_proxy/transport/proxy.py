"""The HTTP proxy between here and upstream: which one the environment names, and the tunnel through it."""

import asyncio
import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import cast
from urllib.parse import unquote, urlsplit

from claude_proxy.errors import ConfigError

MAX_ANSWER = 64 * 1024  # of a proxy, to CONNECT
_DEFAULT_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True)
class Tunnel:
    """A proxy to CONNECT through. `authorization` is the value of its header; a secret, like the URL it came from."""

    host: str
    port: int
    secure: bool
    authorization: str | None = field(default=None, repr=False)

    def protocol(self) -> "Connecting":
        return Connecting(self.authorization)


def proxy_for(base_url: str, environ: Mapping[str, str]) -> Tunnel | None:
    """The proxy that HTTPS_PROXY, ALL_PROXY and NO_PROXY name for upstream; never one for a loopback upstream."""
    url = urlsplit(base_url)
    if url.scheme != "https":  # plain http is for loopback alone
        return None
    named = (_either_case(name, environ) for name in ("https_proxy", "all_proxy"))
    proxy = next(filter(None, named), None)
    if proxy is None or _bypassed(url.netloc, _either_case("no_proxy", environ)):
        return None
    return _tunnel(proxy if "://" in proxy else "http://" + proxy)


def _tunnel(proxy: str) -> Tunnel:
    try:
        url = urlsplit(proxy)
        port = url.port or _DEFAULT_PORTS.get(url.scheme, 0)
    except ValueError:  # it may hold a password, so its own words are not repeated
        port = 0
    if not port or url.scheme not in _DEFAULT_PORTS or not url.hostname:
        raise ConfigError("the proxy in HTTPS_PROXY is not an http(s) address", hint="SOCKS proxies cannot be used")
    authorization = None
    if url.username is not None:
        pair = f"{unquote(url.username)}:{unquote(url.password or '')}"
        authorization = "Basic " + base64.b64encode(pair.encode()).decode()
    return Tunnel(url.hostname, port, url.scheme == "https", authorization)


def _bypassed(netloc: str, no_proxy: str) -> bool:
    """Whether NO_PROXY names this host: itself or a domain above it, with or without the port."""
    names = {netloc.lower(), netloc.lower().rpartition(":")[0] or netloc.lower()}
    for entry in map(str.strip, no_proxy.lower().split(",")):
        if entry == "*" or (entry and any(f".{name}".endswith("." + entry.lstrip("*.")) for name in names)):
            return True
    return False


def _either_case(name: str, environ: Mapping[str, str]) -> str:
    return environ.get(name) or environ.get(name.upper()) or ""


class Connecting(asyncio.Protocol):
    """The connection to a proxy until it has become one to upstream."""

    def __init__(self, authorization: str | None) -> None:
        self._authorization = authorization
        self._answer = b""
        self._answered: asyncio.Future[bool] = asyncio.get_running_loop().create_future()

    async def connected(self, host: str, port: int) -> bool:
        """Ask for a way to `host`; whether there is one. Raises OSError when the proxy leaves."""
        name = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        lines = [f"CONNECT {name} HTTP/1.1", f"Host: {name}"]
        if self._authorization is not None:
            lines.append(f"Proxy-Authorization: {self._authorization}")
        self._transport.write("\r\n".join([*lines, "", ""]).encode())
        return await self._answered

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self._answer += data
        if self._answered.done():
            return
        head, end, rest = self._answer.partition(b"\r\n\r\n")
        if end:  # upstream says nothing before TLS begins, so what follows at once is not upstream's
            status = head.split(b" ", 2)[1:2]
            self._answered.set_result(head.startswith(b"HTTP/1.") and status == [b"200"] and not rest)
        elif len(self._answer) > MAX_ANSWER:
            self._answered.set_result(False)

    def connection_lost(self, exc: Exception | None) -> None:
        if not self._answered.done():
            self._answered.set_result(False)
