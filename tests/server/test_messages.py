import asyncio
import json
import logging

import anthropic
import pytest
from multidict import CIMultiDict
from yarl import URL

from tests.server.conftest import KEY, Serve
from tests.support.daemon import daemon
from tests.support.raw import LAST_CHUNK, SSE_HEAD, Connection, answer, chunk
from tests.support.waiting import stalled

PATHS = ["/v1/messages", "/v1/messages/count_tokens"]


@pytest.mark.parametrize("path", PATHS)
async def test_bytes_and_query_go_up_untouched_and_come_down_untouched(serve: Serve, path: str) -> None:
    body = b'{ "b":1,\n"a": "\\u00e4 \xc3\xa4", "a": 1e3 }  '
    back = b'{ "z" : [ 1 ,2 ] }\n'

    async def play(peer: Connection) -> None:
        await peer.request()
        await peer.send(answer(back, "200 OK", b"content-type: application/json", b"request-id: req_up"))

    async with serve(play) as served:
        reply = await served.client.post(URL(f"{served.url}{path}?beta=true&x=%2F", encoded=True), data=body)
        assert await reply.read() == back
        assert reply.headers["x-request-id"] == reply.headers["request-id"] == "req_up"
    head, _, sent = served.sent()[0].partition(b"\r\n\r\n")
    assert head.startswith(f"POST {path}?beta=true&x=%2F HTTP/1.1".encode())
    assert sent == body


async def test_anthropics_headers_go_along_and_the_clients_credential_does_not(serve: Serve) -> None:
    headers = {
        "anthropic-version": "2026-10-21",
        "anthropic-beta": "a-2026,b-2026",
        "anthropic-new-thing": "1",
        "Authorization": "Bearer the-clients-own",
        "x-api-key": "the-clients-own",
        "Cookie": "the=clients-own",
        "User-Agent": "the-clients-own",
    }
    async with serve() as served:
        await served.client.post("/v1/messages", data=b"{}", headers=headers)
    sent = served.sent()[0].decode().lower()
    for kept in ("anthropic-version: 2026-10-21", "anthropic-beta: a-2026,b-2026", "anthropic-new-thing: 1", KEY):
        assert kept in sent
    assert "the-clients-own" not in sent


async def test_a_stream_passes_as_it_comes(serve: Serve) -> None:
    more = asyncio.Event()

    async def play(peer: Connection) -> None:
        await peer.request()
        await peer.send(SSE_HEAD + chunk(b"event: a\r\nda"))
        await more.wait()
        await peer.send(chunk(b"ta: \xff\r\n\r\n") + LAST_CHUNK)

    async with serve(play) as served:
        reply = await served.client.post("/v1/messages", data=b"{}")
        assert reply.headers["content-type"].startswith("text/event-stream")
        assert await reply.content.readany() == b"event: a\r\nda"
        more.set()
        assert await reply.read() == b"ta: \xff\r\n\r\n"


async def test_repeated_beta_headers_are_joined(serve: Serve) -> None:
    headers = CIMultiDict([("anthropic-beta", "a-2026"), ("anthropic-beta", "b-2026, c-2026")])
    async with serve() as served:
        await served.client.post("/v1/messages", data=b"{}", headers=headers)
    assert b"\r\nanthropic-beta: a-2026,b-2026,c-2026\r\n" in served.sent()[0]


async def test_upstreams_error_comes_down_as_it_is(serve: Serve) -> None:
    body = b'{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}'

    async def play(peer: Connection) -> None:
        await peer.request()
        await peer.send(answer(body, "529 Overloaded", b"content-type: application/json", b"retry-after: 70"))

    async with serve(play) as served:
        reply = await served.client.post("/v1/messages", data=b"{}")
        assert (reply.status, await reply.read(), reply.headers["retry-after"]) == (529, body, "70")
    assert served.state.counters.last_error == "529 overloaded_error: Overloaded"


async def test_our_own_errors_are_in_anthropics_words(serve: Serve) -> None:
    async with serve(credential=False) as served:
        reply = await served.client.post("/v1/messages", data=b"{}")
        error = await reply.json()
    assert reply.status == 401
    assert (error["type"], error["error"]["type"]) == ("error", "authentication_error")
    assert error["request_id"] == reply.headers["x-request-id"]


async def test_a_stream_that_breaks_ends_in_an_error_event(serve: Serve) -> None:
    async def play(peer: Connection) -> None:
        await peer.request()
        await peer.send(SSE_HEAD + chunk(b"event: ping\ndata: {}\n\n"))

    async with serve(play) as served:
        reply = await served.client.post("/v1/messages", data=b"{}")
        begun, _, last = (await reply.read()).partition(b"event: error\ndata: ")
    assert begun == b"event: ping\ndata: {}\n\n"
    assert json.loads(last)["error"]["type"] == "api_error"


async def test_a_client_that_leaves_ends_the_upstream_request(serve: Serve) -> None:
    left = asyncio.Event()

    async def play(peer: Connection) -> None:
        await peer.request()
        await peer.send(SSE_HEAD + chunk(b"event: ping\ndata: {}\n\n"))
        await peer.gone()
        left.set()

    async with serve(play) as served:
        reply = await served.client.post("/v1/messages", data=b"{}")
        await reply.content.readany()
        reply.close()
        await asyncio.wait_for(left.wait(), 5)
    assert served.state.counters.last_error is None


async def test_a_client_that_leaves_before_the_reply_ends_the_upstream_request(serve: Serve) -> None:
    came, left = asyncio.Event(), asyncio.Event()

    async def play(peer: Connection) -> None:
        await peer.request()
        came.set()
        await peer.gone()
        left.set()

    async with serve(play) as served:
        asking = asyncio.create_task(served.client.post("/v1/messages", data=b"{}").__aenter__())
        await asyncio.wait_for(came.wait(), 5)
        asking.cancel()
        await asyncio.wait_for(left.wait(), 5)


@pytest.mark.parametrize(
    "path", ["/v1/messages/batches", "/v1/messages/x", "/v1/files", "/v1/complete", "/v1/organizations"]
)
async def test_nothing_else_of_anthropics_is_passed_on(serve: Serve, path: str) -> None:
    async with serve() as served:
        reply = await served.client.post(path, data=b"{}")
        assert reply.status == 404
    assert served.sent() == []


async def test_the_anthropic_sdk_streams_counts_and_lists_through_it() -> None:
    async with daemon() as running:
        client = anthropic.AsyncAnthropic(base_url=running.url, api_key="any", max_retries=0)
        ask = {"model": "claude-sonnet-5", "messages": [{"role": "user", "content": "hello"}]}
        async with client, client.messages.stream(max_tokens=100, **ask) as stream:  # type: ignore[arg-type]
            text = await stream.get_final_text()
            counted = await client.messages.count_tokens(**ask)  # type: ignore[arg-type]
            models = [model.id async for model in client.models.list()]
    assert "hello" in text
    assert counted.input_tokens > 0
    assert "claude-sonnet-5" in models


@pytest.mark.parametrize(
    ("body", "model"),
    [(b'{"max_tokens": 1, "model": "claude-sonnet-5"}', "claude-sonnet-5"), (b'{"model": 1}', None), (b"{", None),
     (b"\xff", None), (b"[]", None), (b"{}", None), (b'{"model": "a\\nb"}', "a\\nb"), (b'{"a":' * 9999, None)],
)  # fmt: skip
async def test_the_log_names_the_model_that_a_native_client_asks_for(
    serve: Serve, caplog: pytest.LogCaptureFixture, body: bytes, model: str | None
) -> None:
    async with serve() as served:
        with caplog.at_level(logging.INFO, "claude_proxy.requests"):
            await served.client.post("/v1/messages", data=body)
    assert (f"model={model}" in caplog.text) is (model is not None)
    assert ("model=" in caplog.text) is (model is not None)


async def test_a_client_that_reads_slowly_holds_upstream_back(serve: Serve) -> None:
    sent, parts = 0, 512

    async def play(peer: Connection) -> None:
        nonlocal sent
        await peer.request()
        await peer.send(SSE_HEAD)
        while sent < parts:
            await peer.send(chunk(b"x" * 65536))
            sent += 1
        await peer.send(LAST_CHUNK)

    async with serve(play) as served, served.client.post("/v1/messages", data=b"{}") as reply:
        assert await stalled(lambda: sent) < parts  # what the buffers on the way hold, and no more
        assert len(await reply.read()) == parts * 65536
