import asyncio
import datetime
import socket
import ssl
from collections.abc import Mapping
from pathlib import Path

import pytest
from aiohttp import web

from claude_proxy.config import Config, load
from claude_proxy.credentials.chain import CredentialChain
from claude_proxy.credentials.environment import EnvironmentVariable
from claude_proxy.errors import ConfigError, UpstreamUnreachable
from claude_proxy.upstream.anthropic import AnthropicBackend
from claude_proxy.upstream.pool import Pool, _keepalive_socket, proxy_for
from tests.support.raw import Connection, answer, raw_server
from tests.upstream.contract import ASK

API = "https://api.anthropic.com"


async def ok(peer: Connection) -> None:
    while True:
        await peer.request()
        await peer.send(answer(b""))


@pytest.mark.parametrize(
    ("environ", "proxy"),
    [
        ({}, None),
        ({"HTTPS_PROXY": "http://p:3128"}, "http://p:3128"),
        ({"https_proxy": "http://a:1", "HTTPS_PROXY": "http://b:2"}, "http://a:1"),
        ({"ALL_PROXY": "p:3128"}, "http://p:3128"),
        ({"HTTP_PROXY": "http://p:3128"}, None),
        ({"HTTPS_PROXY": "http://p:3128", "NO_PROXY": "x, api.anthropic.com"}, None),
        ({"HTTPS_PROXY": "http://p:3128", "NO_PROXY": ".anthropic.com"}, None),
        ({"HTTPS_PROXY": "http://p:3128", "NO_PROXY": "*.anthropic.com"}, None),
        ({"HTTPS_PROXY": "http://p:3128", "no_proxy": "*"}, None),
        ({"HTTPS_PROXY": "http://p:3128", "NO_PROXY": "thropic.com,,other"}, "http://p:3128"),
    ],
)
def test_the_proxy_is_the_environments(environ: Mapping[str, str], proxy: str | None) -> None:
    assert proxy_for(API, environ) == proxy


def test_a_port_in_no_proxy_is_compared() -> None:
    environ = {"HTTPS_PROXY": "http://p:1", "NO_PROXY": "gateway.example:8443"}
    assert proxy_for("https://gateway.example:8443", environ) is None
    assert proxy_for("https://gateway.example", environ) == "http://p:1"


def test_a_loopback_upstream_is_never_asked_through_a_proxy() -> None:
    assert proxy_for("http://127.0.0.1:9", {"HTTP_PROXY": "http://p:1", "ALL_PROXY": "http://p:1"}) is None


@pytest.mark.parametrize("proxy", ["socks5://user:word@p:1080", "http://"])
def test_a_proxy_that_cannot_be_used_is_refused_without_its_password(proxy: str) -> None:
    with pytest.raises(ConfigError, match="HTTPS_PROXY") as caught:
        proxy_for(API, {"HTTPS_PROXY": proxy})
    assert "word" not in caught.value.text


async def test_a_proxy_is_asked_to_connect_and_its_refusal_is_told() -> None:
    async def play(peer: Connection) -> None:
        await peer.request()
        await peer.send(answer(b"", "403 Forbidden"))

    async with raw_server(play) as proxy:
        environ = {"HTTPS_PROXY": proxy.url, "ANTHROPIC_API_KEY": "sk-ant-api03-made-up-for-the-test"}
        config = load({"base_url": "https://upstream.test"}, {})
        backend = AnthropicBackend(
            config, CredentialChain([EnvironmentVariable("ANTHROPIC_API_KEY", "api_key", environ)], config), environ
        )
        with pytest.raises(UpstreamUnreachable, match="proxy"):
            async with backend.send(ASK):
                pass
        await backend.close()
    assert proxy.requests[0].startswith(b"CONNECT upstream.test:443 HTTP/1.1\r\n")
    assert b"made-up" not in proxy.requests[0]


async def test_what_netrc_holds_is_never_sent(home: Path) -> None:
    (home / ".netrc").write_text("default login somebody password of-the-user\n")

    async def play(peer: Connection) -> None:
        await peer.request()
        await peer.send(answer(b""))

    async with raw_server(play) as upstream:
        pool = Pool(Config(base_url=upstream.url), {})
        async with pool.session() as client:
            await client.get(upstream.url)
        await pool.close()
    assert b"authorization" not in upstream.requests[0].lower()


async def test_after_a_sleep_of_the_machine_no_old_connection_is_used() -> None:
    now = 1000.0
    async with raw_server(ok) as upstream:
        pool = Pool(Config(base_url=upstream.url), {}, wall=lambda: now)
        for slept in (0.0, 1.0, 3600.0):
            now += slept
            async with pool.session() as client, client.get(upstream.url) as response:
                await response.read()
        await pool.close()
    assert upstream.connections == 2


async def test_a_retired_session_is_closed_when_its_last_user_is_done() -> None:
    pool = Pool(Config(), {})
    async with pool.session() as old:
        await pool.retire()
        closed_too_early = old.closed
        async with pool.session() as fresh:
            assert fresh is not old
    assert (closed_too_early, old.closed, fresh.closed) == (False, True, False)
    await pool.close()


@pytest.mark.parametrize(("kept", "connections"), [(2, 2), (1, 3)])
async def test_after_a_burst_no_idle_connection_is_kept(
    kept: int, connections: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("claude_proxy.upstream.pool.MOST_KEPT", kept)

    async def ask(pool: Pool, together: asyncio.Barrier) -> None:
        async with pool.session() as client, together, client.get(upstream.url) as response:
            await response.read()

    async with raw_server(ok) as upstream:
        pool = Pool(Config(base_url=upstream.url), {})
        pair = asyncio.Barrier(2)
        await asyncio.gather(ask(pool, pair), ask(pool, pair))
        await ask(pool, asyncio.Barrier(1))
        await pool.close()
    assert upstream.connections == connections


async def test_closing_or_retiring_an_unused_pool_does_nothing() -> None:
    pool = Pool(Config(), {})
    await pool.retire()
    await pool.close()


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


async def asked_over_tls(authority: Path, environ: Mapping[str, str]) -> int:
    """The status of a request to a server that shows `authority`, or what AnthropicBackend raises."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority)
    app = web.Application()
    app.router.add_post("/v1/messages", _answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "localhost", 0, ssl_context=context)
    await site.start()
    environ = {"ANTHROPIC_API_KEY": "sk-ant-api03-made-up-for-the-test", **environ}
    config = load({"base_url": f"https://localhost:{runner.addresses[0][1]}"}, {})
    backend = AnthropicBackend(
        config, CredentialChain([EnvironmentVariable("ANTHROPIC_API_KEY", "api_key", environ)], config), environ
    )
    try:
        async with backend.send(ASK) as reply:
            await reply.read()
            return reply.status
    finally:
        await backend.close()
        await runner.cleanup()


async def _answer(_: web.Request) -> web.Response:
    return web.Response(status=418)


async def test_a_certificate_that_nobody_vouches_for_ends_the_attempt(authority: Path) -> None:
    with pytest.raises(UpstreamUnreachable, match="certificate could not be verified"):
        await asked_over_tls(authority, {})


async def test_a_further_authority_is_named_by_ssl_cert_file(authority: Path) -> None:
    assert await asked_over_tls(authority, {"SSL_CERT_FILE": str(authority)}) == 418


@pytest.mark.parametrize("text", [None, "", "no certificate"])
def test_a_file_of_authorities_that_cannot_be_used_is_named(tmp_path: Path, text: str | None) -> None:
    file = tmp_path / "authorities.pem"
    if text is not None:
        file.write_text(text)
    with pytest.raises(ConfigError, match=r"SSL_CERT_FILE .*authorities\.pem"):
        Pool(Config(), {"SSL_CERT_FILE": str(file)})


def test_the_authorities_do_not_matter_to_a_loopback_upstream() -> None:
    Pool(Config(base_url="http://127.0.0.1:1"), {"SSL_CERT_FILE": "/nowhere"})


async def test_the_connection_is_watched_for_a_peer_that_vanished() -> None:
    with _keepalive_socket((socket.AF_INET, socket.SOCK_STREAM, 0, "", ())) as made:
        assert made.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
