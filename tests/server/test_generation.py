"""A generation by itself: no client, no HTTP request; a record and a list that takes the frames."""

import json
from collections.abc import Callable, Sequence

import pytest

from claude_proxy.config import Config
from claude_proxy.dialects.api import OPENAI
from claude_proxy.dialects.base import StreamedChoice
from claude_proxy.dialects.chat.dialect import CHAT
from claude_proxy.errors import UpstreamDisconnected, UpstreamRefused
from claude_proxy.server.exchange import Exchange
from claude_proxy.server.generation import Generation, Sending, gathered
from claude_proxy.server.state import State
from claude_proxy.transport.sink import Sink
from tests.server.conftest import Serve
from tests.support.raw import LAST_CHUNK, SSE_HEAD, Connection, answer, chunk

BEGIN = b'data: {"type":"message_start","message":{"id":"msg_1","usage":{"input_tokens":3}}}\n\n'
END = (
    b'data: {"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":2}}\n\n'
    b'data: {"type":"message_stop"}\n\n'
)


def replies(*parts: bytes) -> Callable[[Connection], object]:
    async def play(peer: Connection) -> None:
        while True:
            await peer.request()
            await peer.send(SSE_HEAD + chunk(b"".join(parts)) + LAST_CHUNK)

    return play


class Frames:
    """A FrameWriter that keeps everything."""

    def __init__(self) -> None:
        self.kept: list[bytes] = []

    def sink(self, choice: StreamedChoice) -> Sink:
        frames = self

        class Keep:
            @property
            def over(self) -> bool:
                return choice.reader.over

            def feed(self, data: bytes) -> None:
                frames.kept.append(choice.feed(data))

        return Keep()

    async def end(self, last: bytes) -> None:
        self.kept.append(last)


def exchange() -> Exchange:
    return Exchange("req_1", "RUN", "/background", "nobody", CHAT)


def request(**fields: object):
    body = {"model": "claude-sonnet-5", "messages": [{"role": "user", "content": "hi"}], **fields}
    return CHAT.read(json.dumps(body).encode())


async def test_it_runs_without_a_client_and_is_observed(serve: Serve) -> None:
    ended: list[Exchange] = []
    async with serve(replies(BEGIN, END)) as served:
        state = served.state
        state.observers = (*state.observers, ended.append)
        record = exchange()
        state.begin(record)
        frames = Frames()
        with Generation(state, record, request(stream=True, n=2), Sending()) as generation:
            await generation.begin()
            await generation.stream(generation.streamed(), frames)
            await generation.drain()
        state.finish(record)
        assert not state.open
    assert frames.kept[-1].endswith(b"data: [DONE]\n\n")
    assert ended == [record]
    assert record.usage is not None
    assert (record.usage.input_tokens, record.usage.output_tokens) == (6, 4)
    assert (record.model, record.upstream_model, record.backend) == ("claude-sonnet-5", "claude-sonnet-5", "anthropic")
    assert record.ended is not None
    assert state.counters.served == 1


async def test_an_answer_that_is_cut_short_is_no_answer(serve: Serve) -> None:
    async with serve(replies(BEGIN)) as served:
        record, frames = exchange(), Frames()
        with Generation(served.state, record, request(stream=True), Sending()) as generation:
            await generation.begin()
            with pytest.raises(UpstreamDisconnected):
                await generation.stream(generation.streamed(), frames)
        with Generation(served.state, record, request(), Sending()) as generation:
            await generation.begin()
            with pytest.raises(UpstreamDisconnected):
                await generation.fold()
    assert b"[DONE]" not in b"".join(frames.kept)


async def test_a_refusal_is_raised_before_anything_is_written(serve: Serve) -> None:
    async def refuse(peer: Connection) -> None:
        while True:
            await peer.request()
            await peer.send(answer(b"{}", "413 Too Large"))

    async with serve(refuse) as served:
        with Generation(served.state, exchange(), request(n=3), Sending()) as generation:
            with pytest.raises(UpstreamRefused) as caught:
                await generation.begin()
            assert caught.value.status == 413


FORCED = {
    "tools": [{"type": "function", "function": {"name": "look"}}],
    "tool_choice": "required",
}
TOO_MUCH = b"""{"type":"error","error":{"type":"invalid_request_error",
    "message":"Thinking may not be enabled when tool_choice forces tool use."}}"""


async def refuse_thinking(peer: Connection) -> None:
    """Refuse every request that does not switch thinking off."""
    while True:
        body = json.loads((await peer.request()).partition(b"\r\n\r\n")[2])
        if body.get("thinking") == {"type": "disabled"}:
            await peer.send(SSE_HEAD + chunk(BEGIN + END) + LAST_CHUNK)
        else:
            await peer.send(answer(TOO_MUCH, "400 Bad Request", b"content-type: application/json"))


async def test_thinking_beside_a_forced_tool_is_switched_off_for_the_retry(serve: Serve) -> None:
    async with serve(refuse_thinking) as served:
        asked = request(**FORCED, model="claude-opus-4-8")
        with Generation(served.state, exchange(), asked, Sending()) as generation:
            await generation.begin()
            await generation.fold()
        assert len(served.sent()) == 2


async def test_the_same_bytes_are_not_sent_again_after_a_refusal(serve: Serve) -> None:
    async with serve(refuse_thinking) as served:
        asked = request(**FORCED, model="claude-fable-5")
        with (
            Generation(served.state, exchange(), asked, Sending()) as generation,
            pytest.raises(UpstreamRefused, match="Thinking may not be enabled"),
        ):
            await generation.begin()
        assert len(served.sent()) == 1


async def test_the_first_failure_of_several_is_raised() -> None:
    async def fail(error: Exception) -> int:
        raise error

    async def fine() -> int:
        return 1

    assert await gathered([fine(), fine()]) == [1, 1]
    with pytest.raises(UpstreamDisconnected, match="two"):
        await gathered([fine(), fail(UpstreamDisconnected("two"))])
    with pytest.raises(ZeroDivisionError):
        await gathered([fail(ZeroDivisionError()), fine(), fail(ValueError())])


async def test_every_observer_is_told_of_every_end() -> None:
    told: list[int] = []
    unused: Sequence[object] = ()
    state = State(Config(), unused, unused, unused)  # type: ignore[arg-type] # nothing is asked of them
    state.observers = (lambda _: told.append(1), lambda _: told.append(2))
    record = Exchange("req_1", "GET", "/", "curl", OPENAI)
    state.begin(record)
    state.finish(record)
    assert told == [1, 2]
