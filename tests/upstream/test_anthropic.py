import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from claude_proxy import __version__
from claude_proxy.config import Config, load
from claude_proxy.credentials.base import Credential, Finding, Secret, Source
from claude_proxy.credentials.chain import CredentialChain
from claude_proxy.credentials.environment import EnvironmentVariable
from claude_proxy.errors import (
    CredentialUnusable,
    InvalidRequest,
    NoCredential,
    UpstreamDisconnected,
    UpstreamRefused,
    UpstreamTimeout,
    UpstreamUnreachable,
)
from claude_proxy.upstream.anthropic import AnthropicBackend, upstream_headers
from claude_proxy.upstream.base import Backend, Identity, NativeRequest, Reply
from tests.support.raw import LAST_CHUNK, SSE_HEAD, Connection, Play, RawServer, answer, chunk, raw_server
from tests.upstream.contract import BODY, BackendContract

KEY = "sk-ant-api03-" + "test" * 8


def one_key(config: Config) -> CredentialChain:
    return CredentialChain([EnvironmentVariable("ANTHROPIC_API_KEY", "api_key", {"ANTHROPIC_API_KEY": KEY})], config)


@asynccontextmanager
async def backend(
    play: Play, *, chain: CredentialChain | None = None, **settings: object
) -> AsyncIterator[tuple[AnthropicBackend, RawServer]]:
    async with raw_server(play) as upstream:
        config = load({"base_url": upstream.url, "retries": 0, **settings}, {})
        made = AnthropicBackend(config, chain or one_key(config), {}, jitter=lambda: 0.0)
        try:
            yield made, upstream
        finally:
            await made.close()


@asynccontextmanager
async def reply_of(sender: Backend, request: NativeRequest | None = None) -> AsyncIterator[Reply]:
    with await (sender.native(request) if request else sender.messages(BODY)) as reply:
        yield reply


async def ok(peer: Connection) -> None:
    while True:
        await peer.request()
        await peer.send(answer(b"{}"))


class TestAnthropicBackend(BackendContract):
    backend = staticmethod(backend)  # type: ignore[assignment] # mypy sees a method


class Renewing(Source):
    """A login that somebody renews: its token is `token`."""

    name = "login"
    description = "a login"

    def __init__(self, token: str) -> None:
        self.token = token

    def look(self) -> Finding:
        return Finding(self.name, "found", credential=Credential("auth_token", Secret(self.token), self.name))

    def stamp(self) -> object:
        return self.token


async def test_a_native_request_is_sent_with_its_method_path_query_and_body() -> None:
    request = NativeRequest("POST", "/v1/messages?beta=true", BODY, {"anthropic-beta": "x"})
    async with backend(ok) as (sender, upstream), reply_of(sender, request) as reply:
        await reply.read()
    head, _, body = upstream.requests[0].partition(b"\r\n\r\n")
    assert head.startswith(b"POST /v1/messages?beta=true HTTP/1.1\r\n")
    assert body == BODY


async def test_the_reply_to_a_head_request_does_not_wait_for_a_body() -> None:
    async def play(peer: Connection) -> None:
        await peer.request()
        await peer.send(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n")
        await peer.gone()

    head = NativeRequest("HEAD", "/v1/models")
    async with backend(play) as (sender, upstream), asyncio.timeout(5), reply_of(sender, head) as reply:
        assert await reply.read() == b""
    assert upstream.requests[0].startswith(b"HEAD /v1/models HTTP/1.1\r\n")


async def test_the_list_of_models_is_read_page_by_page() -> None:
    async with backend(ok) as (sender, upstream):
        for after in (None, "a/b"):
            with await sender.models(after) as reply:
                await reply.read()
    paths = [request.split(b" ")[1] for request in upstream.requests]
    assert paths == [b"/v1/models?limit=1000", b"/v1/models?limit=1000&after_id=a%2Fb"]


async def test_the_identity_names_the_login_and_not_the_secret() -> None:
    async with backend(ok) as (sender, _):
        identity = await sender.identity()
    assert identity == Identity("anthropic", "ANTHROPIC_API_KEY", "api_key", tail="…test")
    assert KEY not in repr(identity)


async def test_the_request_names_this_program_and_carries_the_credential() -> None:
    async with backend(ok) as (upstream_side, upstream), reply_of(upstream_side) as reply:
        await reply.read()
    lines = upstream.requests[0].decode().lower().split("\r\n")
    assert f"user-agent: claude-proxy/{__version__}" in lines
    assert f"x-api-key: {KEY}" in lines
    assert "accept-encoding: identity" in lines


async def test_a_request_without_a_body_declares_no_content_type() -> None:
    async with backend(ok) as (sender, upstream), reply_of(sender, NativeRequest("GET", "/v1/models")) as reply:
        await reply.read()
    assert b"content-type" not in upstream.requests[0].lower()


def test_only_known_headers_of_the_client_go_up() -> None:
    requested = {
        "Cookie": "a=b",
        "Authorization": "Bearer client",
        "X-Api-Key": "client",
        "Host": "evil",
        "Accept": "x/y",
    }
    headers = upstream_headers({**requested, "Anthropic-New-Thing": "1"}, {"x-api-key": "ours"})
    assert headers.pop("anthropic-new-thing") == "1"
    assert headers["x-api-key"] == "ours"
    assert headers["accept"] == "x/y"
    assert headers.keys() == {
        "user-agent", "accept", "accept-encoding", "content-type", "anthropic-version", "x-api-key",
    }  # fmt: skip


def test_the_api_version_is_the_callers_or_our_own() -> None:
    assert upstream_headers({}, {})["anthropic-version"] == "2023-06-01"
    assert upstream_headers({"Anthropic-Version": "2026-10-21"}, {})["anthropic-version"] == "2026-10-21"


def test_beta_names_of_both_sides_are_kept_once() -> None:
    headers = upstream_headers({"anthropic-beta": "a, b,,"}, {"anthropic-beta": "b,c"})
    assert headers["anthropic-beta"] == "a,b,c"


async def test_beta_names_do_not_leak_into_the_next_request() -> None:
    async with backend(ok) as (sender, upstream):
        for headers in ({"anthropic-beta": "one-2026"}, {}):
            async with reply_of(sender, NativeRequest("GET", "/v1/models", headers=headers)) as reply:
                await reply.read()
    assert b"one-2026" in upstream.requests[0]
    assert b"one-2026" not in upstream.requests[1]


async def test_a_pooled_connection_is_used_again() -> None:
    async with backend(ok) as (sender, upstream):
        for _ in range(3):
            async with reply_of(sender) as reply:
                await reply.read()
    assert upstream.connections == 1


async def test_a_connection_found_dead_is_replaced_unseen() -> None:
    async def play(peer: Connection) -> None:
        await peer.request()
        await peer.send(answer(b"first" if peer.number == 1 else b"second"))
        if peer.number == 1:
            await peer.reader.read(1)  # the next request begins to come
            peer.reset()
        await peer.gone()

    async with backend(play) as (sender, upstream):
        for expected in (b"first", b"second"):
            async with reply_of(sender) as reply:
                assert await reply.read() == expected
    assert upstream.connections == 2


async def test_a_connection_that_dies_twice_before_its_reply_is_an_error() -> None:
    async def play(peer: Connection) -> None:
        await peer.request()

    async with backend(play) as (sender, upstream):
        with pytest.raises(UpstreamDisconnected):
            await sender.messages(BODY)
    assert upstream.connections == 2


async def test_nothing_is_sent_again_once_the_reply_has_begun() -> None:
    async def play(peer: Connection) -> None:
        await peer.request()
        await peer.send(SSE_HEAD + chunk(b"one"))

    async with backend(play) as (sender, upstream), reply_of(sender) as reply:
        with pytest.raises(UpstreamDisconnected):
            await reply.read()
    assert upstream.connections == 1


async def test_a_reply_that_runs_while_the_pool_is_given_up_goes_on() -> None:
    given_up = asyncio.Event()

    async def play(peer: Connection) -> None:
        await peer.request()
        if peer.number == 1:
            await peer.send(SSE_HEAD)
            await given_up.wait()
            await peer.send(chunk(b"whole") + LAST_CHUNK)
        if peer.number == 3:
            await peer.send(answer(b"other"))

    async with backend(play) as (sender, upstream), reply_of(sender) as running:
        async with reply_of(sender) as reply:
            assert await reply.read() == b"other"
        given_up.set()
        assert await running.read() == b"whole"
    assert upstream.connections == 3


async def test_a_renewed_login_is_tried_once_after_a_401() -> None:
    source = Renewing("old-token-of-the-user")

    async def play(peer: Connection) -> None:
        while True:
            request = await peer.request()
            source.token = "new-token-of-the-user"
            await peer.send(answer(b"{}", "200 OK" if b"new-token" in request else "401 Unauthorized"))

    chain = CredentialChain([source], load({}, {}))
    async with backend(play, chain=chain) as (sender, upstream), reply_of(sender) as reply:
        assert reply.status == 200
    assert len(upstream.requests) == 2


async def test_a_401_without_another_credential_is_the_reply() -> None:
    async def play(peer: Connection) -> None:
        while True:
            await peer.request()
            await peer.send(answer(b"no", "401 Unauthorized"))

    async with backend(play) as (sender, upstream), reply_of(sender) as reply:
        assert (reply.status, await reply.read()) == (401, b"no")
    assert len(upstream.requests) == 1


async def test_without_a_credential_nothing_is_sent() -> None:
    async with backend(ok, chain=CredentialChain([], load({}, {}))) as (sender, upstream):
        with pytest.raises(NoCredential):
            await sender.messages(BODY)
    assert upstream.connections == 0


async def test_a_redirect_is_never_followed() -> None:
    async def play(peer: Connection) -> None:
        await peer.request()
        await peer.send(answer(b"", "307 Temporary Redirect", b"location: http://127.0.0.1:1/"))

    async with backend(play) as (sender, upstream):
        with pytest.raises(UpstreamRefused, match="redirect") as caught:
            await sender.messages(BODY)
    assert (caught.value.status, caught.value.code, upstream.connections) == (502, "upstream_redirect", 1)


async def test_a_reply_that_is_not_http_is_an_error_and_not_asked_for_again() -> None:
    async def play(peer: Connection) -> None:
        await peer.request()
        await peer.send(b"SSH-2.0-OpenSSH_9.9\r\n\r\n")
        await peer.gone()

    async with backend(play) as (sender, upstream):
        with pytest.raises(UpstreamDisconnected):
            await sender.messages(BODY)
    assert upstream.connections == 1


@pytest.mark.parametrize("status", ["503 Busy", "529 Overloaded"])
async def test_a_busy_upstream_is_asked_again(status: str) -> None:
    async def play(peer: Connection) -> None:
        while True:
            await peer.request()
            await peer.send(answer(b"{}", status if len(peer.requests) <= 2 else "200 OK"))

    async with backend(play, retries=2) as (sender, upstream), reply_of(sender) as reply:
        assert reply.status == 200
    assert len(upstream.requests) == 3


async def test_a_request_that_timed_out_is_not_sent_again() -> None:
    async def play(peer: Connection) -> None:
        await peer.request()
        await peer.gone()

    async with backend(play, retries=2, first_byte_timeout=0.05) as (sender, upstream):
        with pytest.raises(UpstreamTimeout):
            await sender.messages(BODY)
    assert len(upstream.requests) == 1


async def test_the_last_refusal_is_the_reply() -> None:
    async def play(peer: Connection) -> None:
        while True:
            await peer.request()
            await peer.send(answer(b"busy", "529 Overloaded"))

    async with backend(play, retries=1) as (sender, upstream), reply_of(sender) as reply:
        assert (reply.status, await reply.read()) == (529, b"busy")
    assert len(upstream.requests) == 2


async def test_a_client_that_tries_again_by_itself_uses_up_our_retries() -> None:
    async def play(peer: Connection) -> None:
        while True:
            await peer.request()
            await peer.send(answer(b"busy", "529 Overloaded"))

    tried = NativeRequest("POST", "/v1/messages", b"{}", {"x-stainless-retry-count": "1"})
    async with backend(play, retries=1) as (sender, upstream):
        async with reply_of(sender, tried) as reply:
            assert reply.status == 529
        with await sender.messages(BODY, client_retries=1) as reply:
            assert reply.status == 529
    assert len(upstream.requests) == 2


async def test_an_upstream_that_cannot_be_reached_is_tried_again() -> None:
    pauses = 0

    def jitter() -> float:
        nonlocal pauses
        pauses += 1
        return 0.0

    with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as nobody:
        url = f"http://127.0.0.1:{nobody.getsockname()[1]}"
    config = load({"base_url": url, "retries": 2}, {})
    made = AnthropicBackend(config, one_key(config), {}, jitter=jitter)
    with pytest.raises(UpstreamUnreachable):
        await made.messages(BODY)
    await made.close()
    assert pauses == 2


async def test_a_client_that_leaves_ends_the_waiting() -> None:
    asked = asyncio.Event()

    async def play(peer: Connection) -> None:
        while True:
            await peer.request()
            await peer.send(answer(b"busy", "529 Overloaded", b"retry-after: 8"))
            asked.set()

    async with backend(play, retries=1) as (sender, upstream):
        sender._jitter = lambda: 1000.0
        waiting = asyncio.create_task(sender.messages(BODY))
        await asked.wait()
        waiting.cancel()
        await asyncio.wait([waiting], timeout=5)
        assert waiting.cancelled()
    assert len(upstream.requests) == 1


@pytest.mark.parametrize("path", ["/v2/messages", "/v1/messages?a b", "/v1/messages?\u00e4", "/v1/messages?a\r\nb: c"])
async def test_a_path_that_is_none_of_ours_is_not_asked_for(path: str) -> None:
    async with backend(ok) as (sender, upstream):
        with pytest.raises(InvalidRequest):
            await sender.native(NativeRequest("GET", path))
    assert upstream.connections == 0


@pytest.mark.parametrize("value", ["a\r\nx-api-key: other", "a\nb", "a\0b"])
async def test_what_would_begin_another_header_is_not_sent(value: str) -> None:
    async with backend(ok) as (sender, upstream):
        with pytest.raises(InvalidRequest, match="line break"):
            await sender.native(NativeRequest("GET", "/v1/models", headers={"anthropic-beta": value}))
    assert upstream.connections == 0


async def test_a_fragment_is_no_part_of_what_is_asked_for() -> None:
    async with backend(ok) as (sender, upstream), reply_of(sender, NativeRequest("GET", "/v1/models?a=b#c")):
        pass
    assert upstream.requests[0].startswith(b"GET /v1/models?a=b HTTP/1.1\r\n")


async def test_a_path_in_the_base_url_comes_before_ours() -> None:
    async with raw_server(ok) as upstream:
        config = load({"base_url": f"{upstream.url}/gateway/", "retries": 0}, {})
        made = AnthropicBackend(config, one_key(config), {})
        async with reply_of(made) as reply:
            await reply.read()
        await made.close()
    assert upstream.requests[0].startswith(b"POST /gateway/v1/messages HTTP/1.1\r\nhost: 127.0.0.1:")


async def test_a_client_that_leaves_while_the_head_is_awaited_ends_the_request() -> None:
    begun, left = asyncio.Event(), asyncio.Event()

    async def play(peer: Connection) -> None:
        await peer.request()
        begun.set()
        await peer.gone()
        left.set()

    async with backend(play) as (sender, _):
        waiting = asyncio.create_task(sender.messages(BODY))
        await begun.wait()
        waiting.cancel()
        await asyncio.wait_for(left.wait(), 5)


class Login(Renewing):
    """A login that is stored on this machine."""

    def look(self) -> Finding:
        credential = Credential("oauth", Secret(self.token), self.name, stored_login=True)
        return Finding(self.name, "found", credential=credential)


@pytest.mark.parametrize(("same_user", "sent"), [(True, False), (False, True)])
async def test_a_stored_login_is_not_sent_to_another_users_server(
    same_user: bool, sent: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("claude_proxy.transport.http1.is_foreign_server", lambda _: True)
    chain = CredentialChain([Login("a-login-of-the-user")], load({}, {}))
    async with backend(ok, chain=chain, same_user=same_user) as (sender, upstream):
        expected = contextlib.nullcontext() if sent else pytest.raises(CredentialUnusable, match="another user")
        with expected:
            async with reply_of(sender) as reply:
                await reply.read()
    assert len(upstream.requests) == int(sent)


async def test_another_users_server_gets_what_the_environment_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("claude_proxy.transport.http1.is_foreign_server", lambda _: True)
    async with backend(ok) as (sender, _), reply_of(sender) as reply:
        assert reply.status == 200


async def test_a_stored_login_is_sent_to_a_server_of_our_own() -> None:
    chain = CredentialChain([Login("a-login-of-the-user")], load({}, {}))
    async with backend(ok, chain=chain) as (sender, upstream), reply_of(sender) as reply:
        await reply.read()
    assert b"a-login-of-the-user" in upstream.requests[0]
