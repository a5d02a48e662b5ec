"""The HTTP proxy on the way to upstream: which one the environment names, and the tunnel through it (CONNECT)."""

import asyncio
import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import cast
from urllib.parse import unquote, urlsplit
from urllib.request import proxy_bypass_environment  # type: ignore[attr-defined] # typeshed knows it for macOS only

from claude_proxy.errors import ConfigError

MAX_RESPONSE = 64 * 1024  # bytes of a proxy's response to CONNECT
_DEFAULT_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True)
class ProxyAddress:
    """A proxy to CONNECT through. `authorization` is the value of Proxy-Authorization; a secret, like the URL."""

    host: str
    port: int
    secure: bool
    authorization: str | None = field(default=None, repr=False)

    def protocol(self) -> "ConnectProtocol":
        return ConnectProtocol(self.authorization)


def proxy_for(base_url: str, environ: Mapping[str, str]) -> ProxyAddress | None:
    """The proxy that HTTPS_PROXY, ALL_PROXY and NO_PROXY name for upstream; never one for a loopback upstream.

    Raises ConfigError if the proxy's address cannot be used.
    """
    url = urlsplit(base_url)
    if url.scheme != "https":  # plain http is for loopback addresses only
        return None
    named = (_either_case(name, environ) for name in ("https_proxy", "all_proxy"))
    proxy = next(filter(None, named), None)
    if proxy is None or _is_bypassed(url.netloc, _either_case("no_proxy", environ)):
        return None
    return _to_address(proxy if "://" in proxy else "http://" + proxy)


def _to_address(proxy: str) -> ProxyAddress:
    try:
        url = urlsplit(proxy)
        port = url.port or _DEFAULT_PORTS.get(url.scheme, 0)
    except ValueError:  # its message may contain the password, so it is not repeated
        port = 0
    if not port or url.scheme not in _DEFAULT_PORTS or not url.hostname:
        raise ConfigError("the proxy in HTTPS_PROXY is not an http(s) address", hint="SOCKS proxies are not supported")
    authorization = None
    if url.username is not None:
        pair = f"{unquote(url.username)}:{unquote(url.password or '')}"
        authorization = "Basic " + base64.b64encode(pair.encode()).decode()
    return ProxyAddress(url.hostname, port, url.scheme == "https", authorization)


def _is_bypassed(netloc: str, no_proxy: str) -> bool:
    """Whether NO_PROXY names this host. Beyond the standard library's rules `*` may stand in a list, or as `*.host`."""
    entries = [entry.strip() for entry in no_proxy.split(",")]
    rules = ",".join(entry.removeprefix("*") for entry in entries)
    return "*" in entries or bool(proxy_bypass_environment(netloc, {"no": rules}))


def _either_case(name: str, environ: Mapping[str, str]) -> str:
    return environ.get(name) or environ.get(name.upper()) or ""


class ConnectProtocol(asyncio.Protocol):
    """The connection to a proxy until the tunnel to upstream is open."""

    def __init__(self, authorization: str | None) -> None:
        self._authorization = authorization
        self._response = b""
        self._accepted: asyncio.Future[bool] = asyncio.get_running_loop().create_future()

    async def open_tunnel(self, host: str, port: int) -> bool:
        """Ask the proxy for a tunnel to `host`; False if it refuses or closes the connection."""
        name = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        lines = [f"CONNECT {name} HTTP/1.1", f"Host: {name}"]
        if self._authorization is not None:
            lines.append(f"Proxy-Authorization: {self._authorization}")
        self._transport.write("\r\n".join([*lines, "", ""]).encode())
        return await self._accepted

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self._response += data
        if self._accepted.done():
            return
        head, end, rest = self._response.partition(b"\r\n\r\n")
        if end:  # in TLS the client speaks first, so bytes after the head do not come from upstream
            status = head.split(b" ", 2)[1:2]
            self._accepted.set_result(head.startswith(b"HTTP/1.") and status == [b"200"] and not rest)
        elif len(self._response) > MAX_RESPONSE:
            self._accepted.set_result(False)

    def connection_lost(self, exc: Exception | None) -> None:
        if not self._accepted.done():
            self._accepted.set_result(False)
