"""Opens connections to upstream: name lookup, happy eyeballs, the proxy on the way, TLS."""

import asyncio
import ipaddress
import os
import socket
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar
from urllib.parse import urlsplit

import aiohappyeyeballs

from claude_proxy.errors import UpstreamUnreachable
from claude_proxy.transport.http1 import HTTP1Connection
from claude_proxy.transport.proxy import ConnectProtocol, ProxyAddress, proxy_for
from claude_proxy.transport.tls import context_from_environment, tls_context

P = TypeVar("P", bound=asyncio.Protocol)

# Seconds after which the next address is tried in parallel (RFC 8305, section 8).
HAPPY_EYEBALLS_DELAY = 0.25
# A vanished peer is detected after 60 + 4 x 15 s; data may stay unacknowledged for as long.
_KEEPALIVE_OPTIONS = (
    ("IPPROTO_TCP", "TCP_NODELAY", 1),
    ("IPPROTO_TCP", "TCP_KEEPIDLE", 60),
    ("IPPROTO_TCP", "TCP_KEEPALIVE", 60),  # macOS's name of TCP_KEEPIDLE
    ("IPPROTO_TCP", "TCP_KEEPINTVL", 15),
    ("IPPROTO_TCP", "TCP_KEEPCNT", 4),
    ("IPPROTO_TCP", "TCP_USER_TIMEOUT", 120_000),
)


@dataclass(frozen=True)
class ClientSettings:
    """What the HTTP client needs to know: upstream's URL, and its timeouts in seconds."""

    base_url: str
    connect_timeout: float = 10.0
    first_byte_timeout: float = 600.0  # from a request to the head of its reply
    read_timeout: float = 600.0  # of silence within a reply


class Dialer:
    """Opens connections to `settings.base_url`; `environ` names proxies and certificate authorities.

    Raises ConfigError if one of those cannot be used.
    """

    def __init__(self, settings: ClientSettings, environ: Mapping[str, str]) -> None:
        url = urlsplit(settings.base_url)
        self._secure = url.scheme == "https"
        self._host = url.hostname or ""
        self._port = url.port or (443 if self._secure else 80)
        self._timeout = settings.connect_timeout
        self._proxy = proxy_for(settings.base_url, environ)
        self._tls = context_from_environment(environ) if self._secure else None

    async def connect(self, create: Callable[[], HTTP1Connection]) -> HTTP1Connection:
        """A new connection, ready for a request. Raises UpstreamUnreachable."""
        try:
            async with asyncio.timeout(self._timeout):
                if self._proxy is not None:
                    return await self._connect_through(self._proxy, create)
                context = self._tls_context() if self._secure else None
                _, connection = await self._open(create, self._host, self._port, context)
        except (OSError, UnicodeError) as exc:  # UnicodeError: the host name has an empty or too long label
            raise to_unreachable(exc) from exc
        return connection

    async def _connect_through(self, proxy: ProxyAddress, create: Callable[[], HTTP1Connection]) -> HTTP1Connection:
        try:
            context = self._tls_context() if proxy.secure else None
            transport, protocol = await self._open(proxy.protocol, proxy.host, proxy.port, context)
        except (OSError, UnicodeError) as exc:
            raise _proxy_error() from exc
        try:
            await self._open_tunnel(protocol)
            connection = create()
            loop = asyncio.get_running_loop()
            tls = await loop.start_tls(transport, connection, self._tls_context(), server_hostname=self._host)
        except BaseException:
            transport.abort()
            raise
        if tls is None:  # the proxy closed the connection meanwhile
            raise _proxy_error()
        connection.connection_made(tls)
        return connection

    async def _open_tunnel(self, protocol: ConnectProtocol) -> None:
        if not await protocol.open_tunnel(self._host, self._port):
            raise _proxy_error()

    async def _open(
        self, create: Callable[[], P], host: str, port: int, context: ssl.SSLContext | None
    ) -> tuple[asyncio.Transport, P]:
        """`loop.create_connection` to the first address that answers; returns what that returns."""
        loop = asyncio.get_running_loop()
        name = host if context is not None else None
        if _is_address(host):  # not by `sock=`: for a connected socket uvloop starts a thread
            transport, protocol = await loop.create_connection(create, host, port, ssl=context, server_hostname=name)
            try:
                set_options(transport.get_extra_info("socket"))
            except OSError:  # the connection has been closed already
                transport.abort()
                raise
            return transport, protocol
        addresses = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        try:
            connected = await aiohappyeyeballs.start_connection(
                addresses, happy_eyeballs_delay=HAPPY_EYEBALLS_DELAY, loop=loop
            )
        except RuntimeError as exc:  # on uvloop, where asyncio raises OSError
            raise OSError("no address answers") from exc
        try:
            set_options(connected)
            return await loop.create_connection(create, sock=connected, ssl=context, server_hostname=name)
        except BaseException:
            connected.close()
            raise

    def _tls_context(self) -> ssl.SSLContext:
        # Made with the first connection: reading the system's authorities takes 20 ms, which would delay the start.
        self._tls = self._tls or tls_context()
        return self._tls


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def set_options(connected: socket.socket) -> None:
    """Enable TCP keepalive, so that the system detects a vanished peer, and disable Nagle's algorithm."""
    connected.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for level, name, value in _KEEPALIVE_OPTIONS:
        if (option := getattr(socket, name, None)) is not None:
            connected.setsockopt(getattr(socket, level), option, value)


def to_unreachable(exc: OSError | UnicodeError) -> UpstreamUnreachable:
    """Why there is no connection, in our own words: foreign messages may contain addresses and passwords."""
    match exc:
        case TimeoutError():
            return UpstreamUnreachable("upstream did not accept a connection in time")
        case UnicodeError():
            return UpstreamUnreachable("upstream's host name is not valid", hint="check `base_url`")
        case socket.gaierror():
            return UpstreamUnreachable("upstream's host name could not be resolved", hint="is this machine online?")
        case ssl.SSLCertVerificationError():
            return UpstreamUnreachable(
                "upstream's TLS certificate could not be verified",
                hint="SSL_CERT_FILE names the certificate authorities to trust instead of the system's",
            )
        case ssl.SSLError():
            return UpstreamUnreachable("could not connect to upstream: TLS failed")
        case OSError(errno=int(number)) if number > 0:
            return UpstreamUnreachable(f"could not connect to upstream: {os.strerror(number)}")
        case _:  # several addresses, each with a reason of its own
            return UpstreamUnreachable("could not connect to upstream: none of its addresses answers")


def _proxy_error() -> UpstreamUnreachable:
    return UpstreamUnreachable("the proxy named in HTTPS_PROXY refuses the connection or cannot be reached")
