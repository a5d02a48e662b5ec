"""Opening a connection to upstream: its addresses, the socket, the proxy between, TLS."""

import asyncio
import ipaddress
import os
import socket
import ssl
from collections.abc import Callable, Mapping
from typing import TypeVar
from urllib.parse import urlsplit

import aiohappyeyeballs

from claude_proxy.config import Config
from claude_proxy.errors import ConfigError, UpstreamUnreachable
from claude_proxy.transport.connection import Connection
from claude_proxy.transport.proxy import Connecting, Tunnel, proxy_for

P = TypeVar("P", bound=asyncio.Protocol)

# The next address is tried when one has not answered for so long (RFC 8305, section 8).
NEXT_ADDRESS = 0.25
# A peer that is gone without a word is found out after 60 + 4 x 15 s; unanswered bytes may wait as long.
_KEEPALIVE_OPTIONS = (
    ("IPPROTO_TCP", "TCP_NODELAY", 1),
    ("IPPROTO_TCP", "TCP_KEEPIDLE", 60),
    ("IPPROTO_TCP", "TCP_KEEPALIVE", 60),  # macOS's name for the same
    ("IPPROTO_TCP", "TCP_KEEPINTVL", 15),
    ("IPPROTO_TCP", "TCP_KEEPCNT", 4),
    ("IPPROTO_TCP", "TCP_USER_TIMEOUT", 120_000),
)


class Dialer:
    """Opens connections to `config.base_url`; `environ` names proxies and further authorities.

    Raises ConfigError for what cannot be used of those.
    """

    def __init__(self, config: Config, environ: Mapping[str, str]) -> None:
        url = urlsplit(config.base_url)
        self._secure = url.scheme == "https"
        self._host = url.hostname or ""
        self._port = url.port or (443 if self._secure else 80)
        self._timeout = config.connect_timeout
        self._proxy = proxy_for(config.base_url, environ)
        self._tls = _named_authorities(environ) if self._secure else None

    async def connect(self, make: Callable[[], Connection]) -> Connection:
        """A fresh connection, ready to be asked. Raises UpstreamUnreachable."""
        try:
            async with asyncio.timeout(self._timeout):
                if self._proxy is not None:
                    return await self._through(self._proxy, make)
                _, connection = await self._open(make, self._host, self._port, self._context())
        except OSError as exc:
            raise unreachable(exc) from exc
        return connection

    async def _through(self, proxy: Tunnel, make: Callable[[], Connection]) -> Connection:
        try:
            context = ssl.create_default_context() if proxy.secure else None
            transport, waiting = await self._open(proxy.protocol, proxy.host, proxy.port, context)
        except OSError as exc:
            raise _refused_by_proxy() from exc
        try:
            await self._consented(waiting)
            connection = make()
            loop = asyncio.get_running_loop()
            tls = await loop.start_tls(transport, connection, self._required(), server_hostname=self._host)
        except BaseException:
            transport.abort()
            raise
        if tls is None:  # the proxy left meanwhile
            raise _refused_by_proxy()
        connection.connection_made(tls)
        return connection

    async def _consented(self, waiting: Connecting) -> None:
        if not await waiting.connected(self._host, self._port):
            raise _refused_by_proxy()

    async def _open(
        self, make: Callable[[], P], host: str, port: int, context: ssl.SSLContext | None
    ) -> tuple[asyncio.Transport, P]:
        """`loop.create_connection` to the first address that answers; returns what that returns."""
        loop = asyncio.get_running_loop()
        name = host if context is not None else None
        if _is_address(host):  # uvloop's way to connect a socket that is there already takes a thread
            transport, protocol = await loop.create_connection(make, host, port, ssl=context, server_hostname=name)
            try:
                watch(transport.get_extra_info("socket"))
            except OSError:  # it has ended again
                transport.abort()
                raise
            return transport, protocol
        addresses = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        try:
            made = await aiohappyeyeballs.start_connection(addresses, happy_eyeballs_delay=NEXT_ADDRESS, loop=loop)
        except RuntimeError as exc:  # uvloop's, where asyncio has an OSError
            raise OSError("no address answers") from exc
        try:
            watch(made)
            return await loop.create_connection(make, sock=made, ssl=context, server_hostname=name)
        except BaseException:
            made.close()
            raise

    def _context(self) -> ssl.SSLContext | None:
        return self._required() if self._secure else None

    def _required(self) -> ssl.SSLContext:
        # Made when the first connection is: reading the system's authorities takes 20 ms that no start has to wait for.
        self._tls = self._tls or _for_http1(ssl.create_default_context())
        return self._tls


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def watch(connected: socket.socket) -> None:
    """Have the system find out by itself when the peer has vanished."""
    connected.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for level, name, value in _KEEPALIVE_OPTIONS:
        if (option := getattr(socket, name, None)) is not None:
            connected.setsockopt(getattr(socket, level), option, value)


def _named_authorities(environ: Mapping[str, str]) -> ssl.SSLContext | None:
    file = environ.get("SSL_CERT_FILE")
    if not file:
        return None
    try:
        return _for_http1(ssl.create_default_context(cafile=file))
    except OSError as exc:
        raise ConfigError(f"SSL_CERT_FILE {file!r} cannot be used: {exc.strerror or 'no certificate in it'}") from exc


def _for_http1(context: ssl.SSLContext) -> ssl.SSLContext:
    context.set_alpn_protocols(["http/1.1"])
    return context


def unreachable(exc: OSError) -> UpstreamUnreachable:
    """Why there is no connection, in our own words: foreign texts may hold addresses and passwords."""
    match exc:
        case TimeoutError():
            return UpstreamUnreachable("upstream did not accept a connection in time")
        case socket.gaierror():
            return UpstreamUnreachable("upstream's host name could not be resolved", hint="is this machine online?")
        case ssl.SSLCertVerificationError():
            return UpstreamUnreachable(
                "upstream's TLS certificate could not be verified",
                hint="SSL_CERT_FILE may name a further authority's certificate",
            )
        case ssl.SSLError():
            return UpstreamUnreachable("could not connect to upstream: TLS failed")
        case OSError(errno=int(number)) if number > 0:
            return UpstreamUnreachable(f"could not connect to upstream: {os.strerror(number)}")
        case _:  # several addresses, each with a reason of its own
            return UpstreamUnreachable("could not connect to upstream: none of its addresses answers")


def _refused_by_proxy() -> UpstreamUnreachable:
    return UpstreamUnreachable("the proxy named in HTTPS_PROXY does not let us through")
