import json
from collections.abc import Mapping

import pytest

from claude_proxy.server.exchange import Exchange
from claude_proxy.server.native_usage import HEAD, TAIL, Seen, StreamWatcher, seen_in
from claude_proxy.wire.anthropic import OutputTokensDetails, Usage
from tests.server.conftest import Serve
from tests.support.raw import LAST_CHUNK, SSE_HEAD, Connection, answer, chunk

START = {"type": "message_start", "message": {"id": "msg_1", "model": "claude-sonnet-5", "usage": {
    "input_tokens": 7, "cache_read_input_tokens": 20, "cache_creation_input_tokens": 3, "output_tokens": 1,
    "service_tier": "standard"}}}  # fmt: skip
DELTA = {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {
    "output_tokens": 9, "output_tokens_details": {"thinking_tokens": 4}}}  # fmt: skip
TOTAL = Usage(7, 3, 20, 9, OutputTokensDetails(4), "standard")


def event(data: Mapping[str, object]) -> bytes:
    return b"event: %s\ndata: %s\n\n" % (str(data["type"]).encode(), json.dumps(data).encode())


def text(size: int) -> bytes:
    return event({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "x" * size}})


STREAM = event(START) + text(5) * 3000 + event(DELTA) + event({"type": "message_stop"})


def watched(data: bytes, size: int) -> Seen:
    watcher = StreamWatcher()
    parts = [data[at : at + size] for at in range(0, len(data), size)]
    assert b"".join([watcher.feed(part) for part in parts]) == data
    return watcher.seen()


@pytest.mark.parametrize("size", [1, 7, 100, 4096, 65536, 10_000_000])
def test_the_first_and_the_last_event_tell_everything(size: int) -> None:
    assert watched(STREAM, size) == Seen("claude-sonnet-5", TOTAL)
    assert watched(STREAM.replace(b"\n", b"\r\n"), size) == Seen("claude-sonnet-5", TOTAL)


def test_a_stream_that_ends_early_tells_its_input() -> None:
    seen = watched(event(START) + text(5), 100)
    assert seen.usage is not None
    assert seen.usage.input_tokens == 7
    assert watched(b"", 1) == watched(b"data: {broken\n\n", 3) == Seen()


def test_an_error_event_is_seen() -> None:
    error = {"type": "error", "error": {"type": "overloaded_error", "message": "Busy"}}
    seen = watched(event(START) + text(5) + event(error), 50)
    assert seen.error is not None
    assert (seen.error.type, seen.error.message) == ("overloaded_error", "Busy")


def test_what_is_kept_is_bounded() -> None:
    watcher = StreamWatcher()
    for _ in range(1000):
        watcher.feed(b"x" * 1000)
    assert len(watcher._head) <= HEAD + 1000
    assert sum(map(len, watcher._tail)) < TAIL + 1000


def test_a_body_tells_its_usage() -> None:
    assert seen_in(b'{"model":"m","usage":{"input_tokens":1},"content":[]}') == Seen("m", Usage(1))
    assert seen_in(b"{") == seen_in(b"[]") == Seen()


@pytest.mark.parametrize("stream", [False, True])
async def test_a_native_request_is_recorded_with_all_its_usage(serve: Serve, stream: bool) -> None:
    body = json.dumps({"model": "claude-sonnet-5", "usage": {
        "input_tokens": 7, "cache_read_input_tokens": 20, "cache_creation_input_tokens": 3, "output_tokens": 9,
        "output_tokens_details": {"thinking_tokens": 4}, "service_tier": "standard"}}).encode()  # fmt: skip

    async def play(peer: Connection) -> None:
        await peer.request()
        json_type = b"content-type: application/json"
        await peer.send(SSE_HEAD + chunk(STREAM) + LAST_CHUNK if stream else answer(body, "200 OK", json_type))

    ended = list[Exchange]()
    async with serve(play) as served:
        served.state.observers = (ended.append,)
        reply = await served.client.post("/v1/messages", data=b'{"model":"sonnet"}')
        assert await reply.read() == (STREAM if stream else body)
    (record,) = ended
    assert record.usage == TOTAL
    assert (record.model, record.upstream_model, record.backend) == ("sonnet", "claude-sonnet-5", "anthropic")
    assert (record.dialect.name, record.status, record.error) == ("messages", 200, None)


async def test_an_error_event_in_a_native_stream_goes_into_the_record(serve: Serve) -> None:
    data = event(START) + event({"type": "error", "error": {"type": "overloaded_error", "message": "Busy"}})

    async def play(peer: Connection) -> None:
        await peer.request()
        await peer.send(SSE_HEAD + chunk(data) + LAST_CHUNK)

    async with serve(play) as served:
        reply = await served.client.post("/v1/messages", data=b"{}")
        assert await reply.read() == data
    assert served.state.counters.last_error == "529 overloaded_error: Busy"
