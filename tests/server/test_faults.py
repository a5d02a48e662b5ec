"""What upstream may do wrong, on a real socket: the client hears of it, and nothing is ever taken for a success."""

import asyncio
import itertools
import json
from typing import Any

import pytest

from tests.server.conftest import Serve, Served
from tests.support.raw import LAST_CHUNK, SSE_HEAD, Connection, Play, answer, chunk

ASK: dict[str, Any] = {"model": "claude-sonnet-5", "messages": [{"role": "user", "content": "hi"}]}


def event(type_: str, **fields: object) -> bytes:
    return b"event: %s\ndata: %s\n\n" % (type_.encode(), json.dumps({"type": type_, **fields}).encode())


START = event("message_start", message={"id": "msg_1", "model": "claude-sonnet-5", "usage": {"input_tokens": 1}})
OPEN = event("content_block_start", index=0, content_block={"type": "text", "text": ""})
TEXT = event("content_block_delta", index=0, delta={"type": "text_delta", "text": "hello"})
END = (
    event("content_block_stop", index=0)
    + event("message_delta", delta={"stop_reason": "end_turn"}, usage={"output_tokens": 1})
    + event("message_stop")
)
WHOLE = START + OPEN + TEXT + END


BEGUN = SSE_HEAD + chunk(START + OPEN + TEXT)

heard = asyncio.Event()  # the client has the beginning, or does not wait for it


@pytest.fixture(autouse=True)
def _fresh() -> None:
    global heard  # noqa: PLW0603 - one test, one event
    heard = asyncio.Event()


def sends(*parts: bytes, then: str = "close") -> Play:
    """An upstream that answers a request with `parts`, the second when the client has the first, and then ends."""

    async def play(peer: Connection) -> None:
        await peer.request()
        for part in parts:
            await peer.send(part)
            if part is BEGUN:
                await heard.wait()
        if then == "reset":
            peer.reset()
        elif then == "stay":
            await peer.gone()
        elif then == "half-close":
            peer.writer.write_eof()
            await peer.gone()

    return play


# Cut or broken after the first text has gone out.
WITHIN: dict[str, Play] = {
    "reset": sends(BEGUN, then="reset"),
    "closed": sends(BEGUN),
    "half-closed": sends(BEGUN, then="half-close"),
    "ended without message_stop": sends(BEGUN, LAST_CHUNK),
    "an event cut in the middle": sends(BEGUN, chunk(END[:-30]) + LAST_CHUNK),
    "a bad chunk, then silence": sends(BEGUN, b"this is no chunk\r\n", then="stay"),
    "a bad chunk, then the end": sends(BEGUN, b"zz\r\n\r\n"),
    "a chunk that is cut": sends(BEGUN, b"ffff\r\nabc"),
    "silence": sends(BEGUN, then="stay"),
    "an error event": sends(BEGUN, chunk(event("error", error={"type": "overloaded_error", "message": "Overloaded"}))),
    "a line without an end": sends(BEGUN, *[chunk(b"data: " + b"x" * 1_000_000)] * 40),
}

# Nothing that could be passed on has come.
BEFORE: dict[str, Play] = {
    "reset": sends(then="reset"),
    "closed": sends(),
    "a head that is cut": sends(SSE_HEAD[:40]),
    "not HTTP": sends(b"SSH-2.0-OpenSSH_9.9\r\n\r\n"),
    "a head without an end": sends(b"HTTP/1.1 200 OK\r\nx: " + b"y" * 100_000, then="stay"),
    "silence": sends(then="stay"),
    "a redirect": sends(answer(b"", "302 Found", b"location: http://127.0.0.1:1/")),
    "a coding nobody asked for": sends(answer(b"\x00", "200 OK", b"content-encoding: compress")),
}


async def ask(served: Served, *, stream: bool) -> tuple[int, bytes]:
    if not stream:
        heard.set()
    async with asyncio.timeout(20):
        reply = await served.client.post("/openai/v1/chat/completions", json={**ASK, "stream": stream})
        body = b""
        async for data in reply.content.iter_any():
            body += data
            if b"hello" in body:
                heard.set()
        return reply.status, body


def the_error(payload: bytes) -> dict[str, Any]:
    error: dict[str, Any] = json.loads(payload)["error"]
    assert error.keys() == {"message", "type", "param", "code"}
    return error


@pytest.mark.parametrize("fault", WITHIN)
async def test_a_stream_that_breaks_ends_in_one_error_and_never_in_success(serve: Serve, fault: str) -> None:
    async with serve(WITHIN[fault], read_timeout=0.2) as served:
        status, body = await ask(served, stream=True)
        assert (await served.client.get("/health")).status == 200
    *frames, last, rest = body.split(b"\n\n")
    assert (status, rest) == (200, b"")
    assert b"hello" in b"".join(frames)
    error = the_error(last.removeprefix(b"data: "))
    expected = {"silence": "timeout", "an error event": "server_is_overloaded"}
    assert error["code"] == expected.get(fault, "upstream_disconnected")
    assert b"[DONE]" not in body
    assert b'"finish_reason":"' not in body
    assert not served.state.open


@pytest.mark.parametrize("fault", WITHIN)
async def test_a_folded_answer_that_breaks_is_an_error_and_never_half_an_answer(serve: Serve, fault: str) -> None:
    async with serve(WITHIN[fault], read_timeout=0.2) as served:
        status, body = await ask(served, stream=False)
    the_error(body)
    assert status == {"silence": 504, "an error event": 503}.get(fault, 502)
    assert b"hello" not in body


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("fault", BEFORE)
async def test_a_failure_before_the_reply_is_a_real_status(serve: Serve, fault: str, stream: bool) -> None:
    async with serve(BEFORE[fault], first_byte_timeout=0.2) as served:
        status, body = await ask(served, stream=stream)
    the_error(body)
    assert status == (504 if fault == "silence" else 502)


@pytest.mark.parametrize("stream", [True, False])
async def test_upstreams_error_statuses_reach_the_client(serve: Serve, stream: bool) -> None:
    statuses = (400, 401, 403, 404, 408, 409, 413, 418, 422, 429, 500, 502, 503, 504, 529, 599)
    bodies = (b'{"type":"error","error":{"type":"api_error","message":"why"}}', b"<html>edge</html>", b"", b'{"a": ')
    answers = list(itertools.product(statuses, bodies))
    coming = iter(answers)

    async def play(peer: Connection) -> None:
        while True:
            await peer.request()
            status, body = next(coming)
            await peer.send(answer(body, f"{status} Some Reason", b"x-should-retry: false"))

    async with serve(play) as served:
        for status, _ in answers:
            got, body = await ask(served, stream=stream)
            assert got == (503 if status == 529 else status)
            the_error(body)


@pytest.mark.parametrize("stream", [True, False])
async def test_bytes_that_come_one_by_one_make_the_same_answer(serve: Serve, stream: bool) -> None:
    async def dripping(peer: Connection) -> None:
        await peer.request()
        await peer.send(SSE_HEAD)
        for position in range(len(WHOLE)):
            await peer.send(chunk(WHOLE[position : position + 1]))
        await peer.send(LAST_CHUNK)

    async with serve(dripping) as served:
        status, body = await ask(served, stream=stream)
    assert status == 200
    assert b"hello" in body
    assert (b"[DONE]" in body) is stream


async def test_a_line_of_many_megabytes_passes(serve: Serve) -> None:
    big = event("content_block_delta", index=0, delta={"type": "text_delta", "text": "x" * 8_000_000})
    async with serve(sends(SSE_HEAD + chunk(START + OPEN + big + END) + LAST_CHUNK)) as served:
        status, body = await ask(served, stream=False)
    assert status == 200
    assert len(json.loads(body)["choices"][0]["message"]["content"]) == 8_000_000


async def test_a_reply_that_upstream_compressed_all_the_same_is_read(serve: Serve) -> None:
    import gzip

    head = SSE_HEAD.replace(b"\r\n\r\n", b"\r\ncontent-encoding: gzip\r\n\r\n")
    async with serve(sends(head + chunk(gzip.compress(WHOLE)) + LAST_CHUNK)) as served:
        status, body = await ask(served, stream=True)
    assert status == 200
    assert body.endswith(b"data: [DONE]\n\n")


async def test_a_bomb_is_read_in_bounded_pieces_and_refused(serve: Serve) -> None:
    import gzip

    bomb = gzip.compress(b"data: " + b"x" * 64_000_000)
    head = SSE_HEAD.replace(b"\r\n\r\n", b"\r\ncontent-encoding: gzip\r\n\r\n")
    async with serve(sends(head + chunk(bomb) + LAST_CHUNK, then="stay")) as served:
        status, body = await ask(served, stream=False)
    assert status == 502
    assert the_error(body)["code"] == "upstream_disconnected"


async def test_while_upstream_is_silent_the_client_hears_comments(serve: Serve) -> None:
    more = asyncio.Event()

    async def play(peer: Connection) -> None:
        await peer.request()
        await peer.send(SSE_HEAD + chunk(START))
        await more.wait()
        await peer.send(chunk(OPEN + TEXT + END) + LAST_CHUNK)

    async with serve(play, keepalive_interval=0.02) as served:
        reply = await served.client.post("/openai/v1/chat/completions", json={**ASK, "stream": True})
        heard = b""
        while heard.count(b": ping\n\n") < 3:
            heard += await reply.content.readany()
        more.set()
        rest = await reply.read()
    assert rest.endswith(b"data: [DONE]\n\n")


async def test_after_a_burst_of_failures_everything_is_as_before(serve: Serve) -> None:
    plays = list(WITHIN.values()) + list(BEFORE.values())

    async def play(peer: Connection) -> None:
        await plays[peer.number % len(plays)](peer)

    async with serve(play, first_byte_timeout=0.2, read_timeout=0.2) as served:
        await asyncio.gather(*(ask(served, stream=number % 2 == 0) for number in range(60)))
        assert (await served.client.get("/health")).status == 200
    assert not served.state.open


async def test_a_client_and_the_server_do_not_both_try_again(serve: Serve) -> None:
    async def busy(peer: Connection) -> None:
        while True:
            await peer.request()
            await peer.send(answer(b"{}", "529 Overloaded", b"retry-after-ms: 1"))

    async with serve(busy, retries=1) as served:
        for tried, requests in (("0", 2), ("1", 1)):
            served.upstream.requests.clear()
            headers = {"x-stainless-retry-count": tried}
            reply = await served.client.post("/openai/v1/chat/completions", json=ASK, headers=headers)
            assert (reply.status, len(served.sent())) == (503, requests)
