import asyncio
from collections.abc import Mapping

import pytest

from claude_proxy.errors import ConfigError, UpstreamUnreachable
from claude_proxy.transport import proxy as module
from claude_proxy.transport.coalescing import WriteCoalescer
from claude_proxy.transport.dial import ClientSettings, Dialer
from claude_proxy.transport.http1 import HTTP1Connection, Timeouts
from claude_proxy.transport.proxy import ProxyAddress, proxy_for
from tests.support.raw import Connection, Play, answer, raw_server

API = "https://api.anthropic.com"


@pytest.mark.parametrize(
    ("environ", "proxy"),
    [
        ({}, None),
        ({"HTTPS_PROXY": "http://p:3128"}, ProxyAddress("p", 3128, secure=False)),
        ({"https_proxy": "http://a:1", "HTTPS_PROXY": "http://b:2"}, ProxyAddress("a", 1, secure=False)),
        ({"ALL_PROXY": "p:3128"}, ProxyAddress("p", 3128, secure=False)),
        ({"HTTPS_PROXY": "http://p"}, ProxyAddress("p", 80, secure=False)),
        ({"HTTPS_PROXY": "https://p"}, ProxyAddress("p", 443, secure=True)),
        ({"HTTPS_PROXY": "http://[::1]:3128"}, ProxyAddress("::1", 3128, secure=False)),
        ({"HTTP_PROXY": "http://p:3128"}, None),
        ({"HTTPS_PROXY": "http://p:3128", "NO_PROXY": "x, api.anthropic.com"}, None),
        ({"HTTPS_PROXY": "http://p:3128", "NO_PROXY": ".anthropic.com"}, None),
        ({"HTTPS_PROXY": "http://p:3128", "NO_PROXY": "*.anthropic.com"}, None),
        ({"HTTPS_PROXY": "http://p:3128", "no_proxy": "*"}, None),
        ({"HTTPS_PROXY": "http://p:3128", "no_proxy": "localhost, *"}, None),
        ({"HTTPS_PROXY": "http://p:3128", "NO_PROXY": "API.ANTHROPIC.COM"}, None),
        ({"HTTPS_PROXY": "http://p:3128", "NO_PROXY": "thropic.com,,other"}, ProxyAddress("p", 3128, secure=False)),
    ],
)
def test_the_proxy_is_the_environments(environ: Mapping[str, str], proxy: ProxyAddress | None) -> None:
    assert proxy_for(API, environ) == proxy


def test_a_port_in_no_proxy_is_compared() -> None:
    environ = {"HTTPS_PROXY": "http://p:1", "NO_PROXY": "gateway.example:8443"}
    assert proxy_for("https://gateway.example:8443", environ) is None
    assert proxy_for("https://gateway.example", environ) == ProxyAddress("p", 1, secure=False)


def test_a_loopback_upstream_is_never_asked_through_a_proxy() -> None:
    assert proxy_for("http://127.0.0.1:9", {"HTTP_PROXY": "http://p:1", "ALL_PROXY": "http://p:1"}) is None


@pytest.mark.parametrize("proxy", ["socks5://user:word@p:1080", "http://", "http://user:word@p:port"])
def test_a_proxy_that_cannot_be_used_is_refused_without_its_password(proxy: str) -> None:
    with pytest.raises(ConfigError, match="HTTPS_PROXY") as caught:
        proxy_for(API, {"HTTPS_PROXY": proxy})
    assert "word" not in caught.value.text


def test_the_password_of_a_proxy_is_in_no_repr() -> None:
    address = proxy_for(API, {"HTTPS_PROXY": "http://me:w%40rd@p:1"})
    assert address is not None
    assert address.authorization == "Basic bWU6d0ByZA=="
    assert "bWU6" not in repr(address)


def create() -> HTTP1Connection:
    return HTTP1Connection(WriteCoalescer(), Timeouts(5, 5), on_idle=print, on_lost=print)


async def connected_through(play: Play, *, user: str = "", timeout: float = 5) -> tuple[bytes, Exception]:
    """What a proxy that is played is asked, and why there is no connection through it."""
    async with raw_server(play) as proxy:
        environ = {"HTTPS_PROXY": proxy.url.replace("http://", f"http://{user}")}
        dialer = Dialer(ClientSettings("https://upstream.test", connect_timeout=timeout), environ)
        with pytest.raises(UpstreamUnreachable) as caught:
            await dialer.connect(create)
    return proxy.requests[0], caught.value


async def test_a_proxy_is_asked_to_connect_and_its_refusal_is_told() -> None:
    async def play(peer: Connection) -> None:
        await peer.request()
        await peer.send(answer(b"", "403 Forbidden"))

    asked, error = await connected_through(play, user="me:word@")
    assert asked.startswith(b"CONNECT upstream.test:443 HTTP/1.1\r\nHost: upstream.test:443\r\n")
    assert b"Proxy-Authorization: Basic bWU6d29yZA==\r\n" in asked
    assert "proxy" in str(error)


@pytest.mark.parametrize("said", [b"", b"SSH-2.0\r\n\r\n", b"HTTP/1.1 200 OK\r\n\r\nmore", b"x" * 200])
async def test_what_is_no_consent_is_a_refusal(said: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_RESPONSE", 100)

    async def play(peer: Connection) -> None:
        await peer.request()
        await peer.send(said)

    _, error = await connected_through(play)
    assert "refuses the connection" in str(error)


async def test_a_proxy_that_says_nothing_is_given_up() -> None:
    async def play(peer: Connection) -> None:
        await peer.request()
        await peer.gone()

    _, error = await connected_through(play, timeout=0.1)
    assert "in time" in str(error)


async def test_a_proxy_that_is_not_there_is_named() -> None:
    async def play(_: Connection) -> None:
        pass

    async with raw_server(play) as proxy:
        pass
    dialer = Dialer(ClientSettings("https://upstream.test"), {"HTTPS_PROXY": proxy.url})
    with pytest.raises(UpstreamUnreachable, match="HTTPS_PROXY"):
        await dialer.connect(create)


async def test_tls_that_fails_behind_the_proxy_is_told() -> None:
    closing = asyncio.Event()

    async def play(peer: Connection) -> None:
        await peer.request()
        await peer.send(b"HTTP/1.1 200 Connection established\r\n\r\n")
        await peer.reader.read(1)  # the client's hello
        await peer.send(b"this is no TLS, whatever it is\r\n")
        closing.set()

    _, error = await connected_through(play)
    assert closing.is_set()
    assert "TLS failed" in str(error)
