import asyncio
import datetime
import errno
import socket
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from claude_proxy.errors import UpstreamUnreachable
from claude_proxy.transport import dial
from claude_proxy.transport.coalescing import WriteCoalescer
from claude_proxy.transport.dial import ClientSettings, Dialer, set_options, to_unreachable
from claude_proxy.transport.http1 import HTTP1Connection, Timeouts
from tests.support import raw

SECRET = "user:password@proxy"


@pytest.mark.parametrize(
    ("foreign", "told"),
    [
        (TimeoutError(SECRET), "in time"),
        (socket.gaierror(-2, SECRET), "host name could not be resolved"),
        (ssl.SSLCertVerificationError(1, SECRET), "SSL_CERT_FILE"),
        (ssl.SSLError(1, SECRET), "TLS failed"),
        (UnicodeError(SECRET), "not valid"),
        (ConnectionRefusedError(111, SECRET), "Connection refused"),
        (OSError(SECRET), "none of its addresses"),
    ],
)
def test_why_there_is_no_connection_is_told_in_our_own_words(foreign: OSError | UnicodeError, told: str) -> None:
    error = to_unreachable(foreign)
    assert told in error.text
    assert SECRET not in error.text


def test_the_connection_is_watched_for_a_peer_that_vanished() -> None:
    with socket.socket() as made:
        set_options(made)
        assert made.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1


def create() -> HTTP1Connection:
    return HTTP1Connection(WriteCoalescer(), Timeouts(5, 5), on_idle=lambda _: None, on_lost=lambda _: None)


async def dialled(base_url: str, environ: Mapping[str, str]) -> int:
    """The status of an answer from `base_url`, over a fresh connection."""
    dialer = Dialer(ClientSettings(base_url), environ)
    connection = await dialer.connect(create)
    with await connection.send_request(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n", None) as reply:
        await reply.read()
    connection.close()
    await asyncio.sleep(0)
    return reply.status


async def test_a_name_is_looked_up() -> None:
    async def play(peer: raw.Connection) -> None:
        await peer.request()
        await peer.send(raw.answer(b"", "418 Odd"))

    async with raw.raw_server(play) as upstream:
        assert await dialled(upstream.url.replace("127.0.0.1", "localhost"), {}) == 418


async def test_a_name_that_is_not_valid_is_told() -> None:
    with pytest.raises(UpstreamUnreachable, match="host name is not valid"):
        await dialled("https://a..b", {})


async def test_a_name_that_does_not_exist_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def not_found(*_: Any, **__: Any) -> Any:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", not_found)
    with pytest.raises(UpstreamUnreachable, match="could not be resolved"):
        await dialled("https://upstream.test", {})


async def test_what_uvloop_raises_in_place_of_an_oserror_is_told_as_one(monkeypatch: pytest.MonkeyPatch) -> None:
    async def fails(*_: Any, **__: Any) -> Any:
        raise RuntimeError("unable to connect")

    monkeypatch.setattr("aiohappyeyeballs.start_connection", fails)
    with pytest.raises(UpstreamUnreachable, match="none of its addresses"):
        await dialled("http://localhost:1", {})


async def test_a_connection_that_ends_before_it_is_watched_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    def ended(_: socket.socket) -> None:
        raise OSError(errno.EINVAL, "Invalid argument")

    gone = asyncio.Event()

    async def play(peer: raw.Connection) -> None:
        await peer.gone()
        gone.set()

    monkeypatch.setattr(dial, "set_options", ended)
    for host in ("127.0.0.1", "localhost"):
        gone.clear()
        async with raw.raw_server(play) as upstream:
            with pytest.raises(UpstreamUnreachable, match="Invalid argument"):
                await dialled(upstream.url.replace("127.0.0.1", host), {})
            await asyncio.wait_for(gone.wait(), 5)


# --------------------------------------------------------------------------------------------------------- TLS


@pytest.fixture
def authority(tmp_path: Path) -> Path:
    """A self-signed certificate for localhost with its key, in one file."""
    x509 = pytest.importorskip("cryptography.x509")
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.oid.NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    file = tmp_path / "authority.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file.write_bytes(private + certificate.public_bytes(serialization.Encoding.PEM))
    return file


@asynccontextmanager
async def tls_server(authority: Path) -> AsyncIterator[str]:
    """A server that shows `authority`; yields its address."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority)
    app = web.Application()
    app.router.add_get("/", _answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context)
    await site.start()
    try:
        yield f"https://localhost:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


async def _answer(_: web.Request) -> web.Response:
    return web.Response(status=418)


async def test_an_untrusted_certificate_ends_the_attempt(authority: Path) -> None:
    async with tls_server(authority) as url:
        with pytest.raises(UpstreamUnreachable, match="certificate could not be verified"):
            await dialled(url, {})


async def test_no_session_key_is_written_to_a_file(
    authority: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = tmp_path / "keys"
    monkeypatch.setenv("SSLKEYLOGFILE", str(keys))
    async with tls_server(authority) as url:
        with pytest.raises(UpstreamUnreachable):
            await dialled(url, {"SSLKEYLOGFILE": str(keys)})
        assert await dialled(url, {"SSLKEYLOGFILE": str(keys), "SSL_CERT_FILE": str(authority)}) == 418
    assert not keys.exists()


async def test_ssl_cert_file_names_the_authorities_to_trust(authority: Path) -> None:
    async with tls_server(authority) as url:
        assert await dialled(url, {"SSL_CERT_FILE": str(authority)}) == 418


async def test_the_certificate_must_name_the_host(authority: Path) -> None:
    async with tls_server(authority) as url:
        with pytest.raises(UpstreamUnreachable, match="certificate could not be verified"):
            await dialled(url.replace("localhost", "127.0.0.1"), {"SSL_CERT_FILE": str(authority)})


async def test_a_tunnel_through_a_proxy_carries_tls_to_upstream_itself(authority: Path) -> None:
    async def play(peer: raw.Connection) -> None:
        """A proxy as it should be: it connects, and passes bytes on both ways."""
        head = await peer.request()
        port = int(head.split(b" ")[1].rpartition(b":")[2])
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        await peer.send(b"HTTP/1.1 200 Connection established\r\n\r\n")
        try:
            await asyncio.gather(_copied(peer.reader, writer), _copied(reader, peer.writer))
        finally:
            writer.close()

    async with tls_server(authority) as url, raw.raw_server(play) as proxy:
        environ = {"SSL_CERT_FILE": str(authority), "HTTPS_PROXY": proxy.url}
        assert await dialled(url, environ) == 418
    assert proxy.requests[0].startswith(b"CONNECT localhost:")


async def _copied(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
    writer.close()


def test_the_authorities_do_not_matter_to_a_loopback_upstream() -> None:
    Dialer(ClientSettings("http://127.0.0.1:1"), {"SSL_CERT_FILE": "/nowhere"})


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
async def test_a_connection_is_watched_however_it_was_made(host: str) -> None:
    async def play(peer: raw.Connection) -> None:
        await peer.gone()

    async with raw.raw_server(play) as upstream:
        dialer = Dialer(ClientSettings(upstream.url.replace("127.0.0.1", host)), {})
        connection = await dialer.connect(create)
        assert connection._transport is not None
        used = connection._transport.get_extra_info("socket")
        assert used.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) != 0
        assert used.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) != 0
        connection.close()
        await asyncio.sleep(0)
