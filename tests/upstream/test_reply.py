import asyncio
import ssl
from typing import Any

import aiohttp
import pytest
from aiohttp.http import HttpProcessingError

from claude_proxy.errors import UpstreamDisconnected, UpstreamTimeout, UpstreamUnreachable
from claude_proxy.upstream import reply
from claude_proxy.upstream.reply import ConnectionLost, HTTPReply, upstream_error
from tests.support.raw import Connection, answer, chunk, raw_server

KEY: Any = None  # aiohttp's description of a connection; the errors below only carry it

SECRET = "user:password@proxy"


@pytest.mark.parametrize(
    ("foreign", "ours"),
    [
        (aiohttp.ConnectionTimeoutError(SECRET), UpstreamUnreachable),
        (aiohttp.SocketTimeoutError(SECRET), UpstreamTimeout),
        (TimeoutError(SECRET), UpstreamTimeout),
        (aiohttp.ServerDisconnectedError(SECRET), ConnectionLost),
        (aiohttp.ClientOSError(104, SECRET), ConnectionLost),
        (aiohttp.ClientPayloadError(SECRET), UpstreamDisconnected),
        (HttpProcessingError(message=SECRET), UpstreamDisconnected),
        (RuntimeError(SECRET), UpstreamDisconnected),
        (ConnectionResetError(SECRET), UpstreamDisconnected),
        (ssl.SSLError(1, SECRET), UpstreamDisconnected),
    ],
)
def test_a_foreign_error_is_told_in_our_own_words(foreign: Exception, ours: type[Exception]) -> None:
    error = upstream_error(foreign)
    assert type(error) is ours
    assert SECRET not in error.text


def test_a_failure_to_connect_says_what_failed() -> None:
    refused = OSError(111, "Connection refused")
    texts = {
        upstream_error(aiohttp.ClientConnectorDNSError(KEY, OSError(-2, "Name or service not known"))).text,
        upstream_error(aiohttp.ClientConnectorCertificateError(KEY, Exception("self-signed"))).text,
        upstream_error(aiohttp.ClientProxyConnectionError(KEY, refused)).text,
        upstream_error(aiohttp.ClientConnectorError(KEY, refused)).text,
    }
    assert any("host name could not be resolved" in text for text in texts)
    assert any("SSL_CERT_FILE" in text for text in texts)
    assert any("HTTPS_PROXY" in text for text in texts)
    assert any("Connection refused" in text for text in texts)


async def test_what_is_read_at_once_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reply, "MAX_READ", 10)

    async def play(peer: Connection) -> None:
        await peer.request()
        await peer.send(answer(b"x" * 11))

    async with raw_server(play) as upstream, aiohttp.ClientSession() as session:
        made = HTTPReply(await session.get(upstream.url), 5)
        with pytest.raises(UpstreamDisconnected, match="too large"):
            await made.read()
        made.close()


async def test_a_pooled_connection_that_dies_later_is_nobodys_error(caplog: pytest.LogCaptureFixture) -> None:
    closing = asyncio.Event()

    async def play(peer: Connection) -> None:
        await peer.request()
        await peer.send(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n" + chunk(b"one"))
        await closing.wait()
        await peer.send(b"0\r\n\r\n")
        await asyncio.sleep(0)
        peer.reset()

    async with raw_server(play) as upstream, aiohttp.ClientSession() as session:
        made = HTTPReply(await session.get(upstream.url), 5)
        closing.set()
        assert await made.read() == b"one"
        made.close()
        await asyncio.sleep(0.05)
    assert caplog.text == ""


@pytest.mark.parametrize("coding", ["gzip, gzip", "compress", "x-unknown"])
async def test_a_coding_that_nobody_asked_for_and_nobody_can_undo_is_an_error(coding: str) -> None:
    async def play(peer: Connection) -> None:
        await peer.request()
        await peer.send(answer(b"\x1f\x8b", "200 OK", b"content-encoding: " + coding.encode()))

    async with raw_server(play) as upstream, aiohttp.ClientSession() as session:
        response = await session.get(upstream.url)
        with pytest.raises(UpstreamDisconnected, match="coding"):
            HTTPReply(response, 5)
        response.close()
