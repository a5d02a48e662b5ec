"""The credential in force reaches no client and no log, even if upstream quotes it and it has no known form."""

import logging

import pytest

from tests.server.conftest import Serve, Served
from tests.support.raw import LAST_CHUNK, SSE_HEAD, Connection, answer, chunk

TOKEN = "gateway-token-without-a-known-form"
REQUESTS = {
    "/v1/messages": b"{}",
    "/openai/v1/chat/completions": b'{"model":"claude-sonnet-5","messages":[{"role":"user","content":"hi"}]}',
}


async def quotes_the_credential(peer: Connection) -> None:
    """An upstream whose error quotes the credential that it got, in its headers and in its body."""
    headers = [b"content-type: application/json", *(b"%s: got %s" % (name, TOKEN.encode()) for name in ECHOED)]
    body = b'{"type":"error","error":{"type":"invalid_request_error","message":"bad value: %s"}}' % TOKEN.encode()
    while True:
        await peer.request()
        await peer.send(answer(body, "400 Bad Request", *headers))


ECHOED = (b"request-id", b"anthropic-organization-id", b"anthropic-ratelimit-requests-limit", b"retry-after")


async def everything_told(served: Served, path: str) -> str:
    """What a client is told when it asks `path`, and then for the status, headers and bodies together."""
    told = ""
    for method, asked, data in (("POST", path, REQUESTS[path]), ("GET", "/status", None)):
        async with served.client.request(method, asked, data=data) as reply:
            told += f"{reply.headers} {await reply.text()}"
    return told


@pytest.mark.parametrize("path", REQUESTS)
async def test_a_credential_that_upstream_quotes_reaches_no_client_and_no_log(
    serve: Serve, path: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    async with serve(quotes_the_credential, key=TOKEN) as served:
        told = await everything_told(served, path)
    assert "bad value: ***" in told
    assert TOKEN not in told
    assert TOKEN not in caplog.text


@pytest.mark.parametrize("parts", [1, 2, 40])
async def test_an_error_event_of_a_passing_stream_shows_no_credential(serve: Serve, parts: int) -> None:
    good = b'event: ping\ndata: {"type": "ping", "note": "event: error"}\n\n'
    error = b'event: error\ndata: {"type":"error","error":{"type":"api_error","message":"bad: %s"}}\n\n'
    data = error % TOKEN.encode()
    size = -(-len(data) // parts)

    async def play(peer: Connection) -> None:
        await peer.request()
        await peer.send(SSE_HEAD + chunk(good))
        await peer.send(chunk(data[:15]))
        for start in range(15, len(data), size):
            await peer.send(chunk(data[start : start + size]))
        await peer.send(LAST_CHUNK)

    async with serve(play, key=TOKEN) as served:
        reply = await served.client.post("/v1/messages", data=b'{"stream":true}')
        assert await reply.read() == good + error % b"***"


async def test_a_good_reply_is_passed_on_unchanged(serve: Serve) -> None:
    async def play(peer: Connection) -> None:
        await peer.request()
        await peer.send(answer(TOKEN.encode(), "200 OK", b"content-type: text/plain"))

    async with serve(play, key=TOKEN) as served:
        reply = await served.client.post("/v1/messages", data=b"{}")
        assert await reply.text() == TOKEN
