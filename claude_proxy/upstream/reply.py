"""An HTTP answer as a Reply: what arrives is handed on as it is, what breaks becomes one of our errors."""

import asyncio
import os
import ssl
from collections.abc import AsyncIterator, Mapping

import aiohttp
from aiohttp.http import HttpProcessingError

from claude_proxy.errors import UpstreamDisconnected, UpstreamError, UpstreamTimeout, UpstreamUnreachable

# Everything aiohttp, the sockets and TLS are known to raise. A framing error may surface as a bare RuntimeError.
FOREIGN = (aiohttp.ClientError, HttpProcessingError, OSError, EOFError, RuntimeError)

# We ask for none. These aiohttp takes off by itself; anything else would reach the client as noise.
UNDONE_CODINGS = frozenset({"identity", "gzip", "deflate", "br", "zstd"})
# `read` is for errors, lists and counts; an answer is read by `data`, which keeps nothing.
MAX_READ = 16 * 1024 * 1024


class ConnectionLost(UpstreamDisconnected):
    """The connection ended by itself. Before a reply has begun this is the one failure that may be no one's fault."""


def upstream_error(exc: Exception) -> UpstreamError:
    """What went wrong between upstream and us, in our own words: foreign texts may hold addresses and headers."""
    match exc:
        case aiohttp.ConnectionTimeoutError():
            return UpstreamUnreachable("upstream did not accept a connection in time")
        case TimeoutError():
            return UpstreamTimeout("upstream stayed silent for too long")
        case aiohttp.ClientConnectorDNSError():
            return UpstreamUnreachable("upstream's host name could not be resolved", hint="is this machine online?")
        case aiohttp.ClientConnectorCertificateError():
            return UpstreamUnreachable(
                "upstream's TLS certificate could not be verified",
                hint="SSL_CERT_FILE may name a further authority's certificate",
            )
        case aiohttp.ClientProxyConnectionError() | aiohttp.ClientHttpProxyError():
            return UpstreamUnreachable("the proxy named in HTTPS_PROXY does not let us through")
        case aiohttp.ClientConnectorError():
            return UpstreamUnreachable(f"could not connect to upstream: {_reason(exc.os_error)}")
        case aiohttp.ServerDisconnectedError() | aiohttp.ClientOSError():
            return ConnectionLost("upstream closed the connection before the end of its reply")
        case aiohttp.ClientResponseError() | HttpProcessingError():
            return UpstreamDisconnected("upstream sent what is not HTTP")
        case _:
            return UpstreamDisconnected("upstream closed the connection before the end of its reply")


def _reason(exc: OSError) -> str:
    # asyncio puts the address into the text, and TLS has no number.
    return os.strerror(exc.errno) if exc.errno and exc.errno > 0 and not isinstance(exc, ssl.SSLError) else "TLS failed"


class HTTPReply:
    """A Reply over an aiohttp response, silent for `timeout` at most; the backend that made it closes it."""

    def __init__(self, response: aiohttp.ClientResponse, timeout: float) -> None:
        coding = response.headers.get("content-encoding", "identity").lower()
        if coding not in UNDONE_CODINGS:
            raise UpstreamDisconnected("upstream used a content coding that nobody asked for")
        _bound_silence(response, timeout)
        self._response = response
        self.status = response.status
        self.headers: Mapping[str, str] = {name.lower(): value for name, value in response.headers.items()}
        self._closed = _closed_future(response)
        if self._closed is not None:
            self._closed.add_done_callback(self._connection_closed)

    def data(self) -> AsyncIterator[bytes]:
        return _Data(self._response.content)

    async def read(self) -> bytes:
        parts: list[bytes] = []
        size = 0
        async for part in self.data():
            size += len(part)
            if size > MAX_READ:
                raise UpstreamDisconnected("upstream sent a reply that is too large")
            parts.append(part)
        return b"".join(parts)

    def close(self) -> None:
        """End the reply: a finished one gives its connection back, any other closes it at once."""
        if self._closed is not None:
            self._closed.remove_done_callback(self._connection_closed)
        self._response.close()

    def _connection_closed(self, _: asyncio.Future[None]) -> None:
        # After an invalid chunk in the middle of a body aiohttp 3.14's parser leaves the reader waiting for
        # ever, and its read timeout does not fire: the end of the connection is the only sign there is.
        content = self._response.content
        if not content.is_eof() and content.exception() is None:
            content.set_exception(aiohttp.ClientPayloadError("connection closed within the body"))


class _Data:
    """The parts of a body as they come. No generator, so that a cancelled read loses nothing and may be repeated."""

    def __init__(self, content: aiohttp.StreamReader) -> None:
        self._content = content

    def __aiter__(self) -> "_Data":
        return self

    async def __anext__(self) -> bytes:
        try:
            data = await self._content.readany()
        except FOREIGN as exc:
            raise upstream_error(exc) from exc
        if not data:
            raise StopAsyncIteration
        return data


def _bound_silence(response: aiohttp.ClientResponse, timeout: float) -> None:
    """Let `timeout` seconds be the longest wait for bytes from now on; until here, another bound was in force."""
    connection = response.connection  # None once the whole body is here
    if connection is None or connection.protocol is None:
        return
    protocol = connection.protocol
    protocol.read_timeout = timeout
    if connection.transport is not None and connection.transport.is_reading():  # else it starts with the reading
        protocol.start_timeout()


def _closed_future(response: aiohttp.ClientResponse) -> asyncio.Future[None] | None:
    connection = response.connection  # None once the whole body is here
    closed = connection.protocol.closed if connection is not None and connection.protocol is not None else None
    if closed is not None:
        # A pooled connection outlives its replies: someone must have looked at how it ended, once.
        closed.remove_done_callback(_seen)
        closed.add_done_callback(_seen)
    return closed


def _seen(closed: asyncio.Future[None]) -> None:
    if not closed.cancelled():
        closed.exception()
