"""Streams on the wire, judged by the SDK's own types and its accumulator."""

import aiohttp
import anthropic
import msgspec
import pytest
from anthropic.types import RawMessageStreamEvent
from pydantic import BaseModel, TypeAdapter

from claude_proxy.simulator import message_events as streams
from claude_proxy.simulator.prompt_cache import PromptCache
from claude_proxy.simulator.responder import compose

TOOLS = [
    {"name": "t", "input_schema": {"type": "object", "properties": {"city": {}}, "required": ["city"]}},
    {"type": "web_search_20260318", "name": "web_search"},
]
_EVENT = TypeAdapter(RawMessageStreamEvent)
FOREIGN = {"ping", "error", "simulated_future_event"}


def ask(script, model="claude-opus-5", **fields):
    fields = {"thinking": {"type": "adaptive", "display": "summarized"}, "tools": TOOLS} | fields
    return {"model": model, "max_tokens": 500, "messages": [{"role": "user", "content": script}]} | fields


def events_in(data):
    """The events of a stream, whose framing is checked on the way."""
    frames = data.replace("\r\n", "\n").split("\n\n")
    assert frames.pop() == ""
    for frame in frames:
        name, payload = frame.split("\n")
        event = msgspec.json.decode(payload.removeprefix("data: "))
        assert name == f"event: {event['type']}"
        yield event


def extras(value):
    """Fields of `value`, at any depth, that the SDK's types do not have."""
    if isinstance(value, BaseModel):
        return set(value.model_extra or ()).union(*(extras(getattr(value, name)) for name in type(value).model_fields))
    return set().union(*map(extras, value)) if isinstance(value, list) else set()


@pytest.fixture
def stream(simulator):
    """The events that a script streams; each has been held against the SDK's types."""

    async def run(script, **fields):
        async with simulator.post(json=ask(script, **fields) | {"stream": True}) as response:
            assert response.status == 200
            assert response.headers["content-type"] == "text/event-stream; charset=utf-8"
            events = list(events_in((await response.read()).decode()))
        for event in events:
            if event["type"] not in FOREIGN and "simulated_future" not in str(event):
                assert extras(_EVENT.validate_json(msgspec.json.encode(event))) == set()
        return events

    return run


def deltas(events, kind):
    return [event["delta"] for event in events if event.get("delta", {}).get("type") == kind]


EVERYTHING = """/simulate thinking Let me see
/simulate redacted
/simulate text Grüße, 世界 🙂
/simulate web_search cats
/simulate citation https://c.at | Cats | They purr.
/simulate ping
/simulate tool t {"city": "São Paulo"}
/simulate tool t {}"""


async def test_every_kind_of_block_and_delta_streams_in_the_sdks_types(stream):
    events = await stream(EVERYTHING)
    kinds = {event["delta"]["type"] for event in events if event["type"] == "content_block_delta"}
    assert kinds == {"thinking_delta", "signature_delta", "text_delta", "citations_delta", "input_json_delta"}
    starts = [event["content_block"]["type"] for event in events if event["type"] == "content_block_start"]
    assert starts == [
        "thinking",
        "redacted_thinking",
        "text",
        "server_tool_use",
        "web_search_tool_result",
        "text",
        "tool_use",
        "tool_use",
    ]
    assert [event["type"] for event in events[:3]] == ["message_start", "content_block_start", "ping"]
    assert [event["type"] for event in events[-2:]] == ["message_delta", "message_stop"]


@pytest.mark.parametrize("script", [EVERYTHING, "Hi", "/simulate empty", "/simulate refusal no", "/simulate pause"])
@pytest.mark.parametrize(
    "travel", ["", "\n/simulate chunk 1", "\n/simulate chunk 7\n/simulate crlf", "\n/simulate restart"]
)
async def test_the_sdk_folds_a_stream_to_the_whole_message(client, script, travel):
    asked = ask(script + travel)
    whole = await client.messages.create(**asked)
    async with client.messages.stream(**asked) as stream:
        folded = await stream.get_final_message()
    assert folded.to_dict() == whole.to_dict()
    assert extras(whole) == set()


async def test_the_beta_client_folds_it_too(client):
    asked = ask(EVERYTHING, betas=["interleaved-thinking-2025-05-14"])
    whole = await client.beta.messages.create(**asked)
    async with client.beta.messages.stream(**asked) as stream:
        assert (await stream.get_final_message()).to_dict() == whole.to_dict()
    assert extras(whole) == set()


async def test_tool_input_comes_in_fragments_and_the_first_is_empty(stream):
    events = await stream('/simulate tool t {"city": "Oslo"}', thinking={"type": "disabled"})
    pieces = [delta["partial_json"] for delta in deltas(events, "input_json_delta")]
    assert pieces[0] == ""
    assert len(pieces) == 3
    assert "".join(pieces) == '{"city":"Oslo"}'


async def test_a_call_without_arguments_streams_only_the_empty_fragment(stream):
    events = await stream("/simulate tool t {}")
    assert deltas(events, "input_json_delta") == [{"type": "input_json_delta", "partial_json": ""}]


async def test_omitted_thinking_streams_only_its_signature(stream):
    events = await stream("Hi", thinking={"type": "adaptive"})
    assert deltas(events, "thinking_delta") == []
    assert len(deltas(events, "signature_delta")) == 1


async def test_usage_is_cumulative_and_complete_at_the_end(stream):
    events = await stream("/simulate words 5", thinking={"type": "disabled"})
    start, end = events[0]["message"]["usage"], events[-2]["usage"]
    assert (start["output_tokens"], end["output_tokens"]) == (1, 5)
    assert start["input_tokens"] == end["input_tokens"] > 0


async def test_broken_tool_json_is_streamed_as_it_is(stream, client):
    events = await stream('/simulate tools-broken-json t {"city": "Os')
    assert "".join(delta["partial_json"] for delta in deltas(events, "input_json_delta")) == '{"city": "Os'
    assert events[-2]["delta"]["stop_reason"] == "tool_use"
    with pytest.raises(ValueError, match="Unable to parse tool parameter JSON"):
        async with client.messages.stream(**ask('/simulate tools-broken-json t {"city": oops}')) as folding:
            await folding.get_final_message()


async def test_events_of_tomorrow_can_be_had_today(stream):
    events = await stream("/simulate text a\n/simulate unknown-event\n/simulate text b")
    assert "simulated_future_event" in [event["type"] for event in events]
    assert [event["index"] for event in events if event["type"] == "content_block_start"] == [0, 1, 2, 3]


async def test_lines_can_end_in_cr_lf(simulator):
    async with simulator.post(json=ask("/simulate crlf") | {"stream": True}) as response:
        data = await response.read()
    assert data.count(b"\n") == data.count(b"\r\n") > 0


async def test_dropped_thinking_is_reported(client, simulator):
    first = ask("/simulate text one", model="claude-opus-5-5")
    message = await client.messages.create(**first)
    messages = [
        *first["messages"],
        {"role": "assistant", "content": message.content},
        {"role": "user", "content": "Hi"},
    ]
    asked = first | {
        "system": "Changed.",
        "messages": messages,
        "thinking": {"type": "adaptive", "block_binding": {"prefix_mismatch_behavior": "drop_block"}},
        "betas": ["thinking-binding-controls-2026-08-01"],
    }
    whole = await client.beta.messages.create(**asked)
    assert whole.input_transformations[0].path == "messages.1.content.0"
    async with client.beta.messages.stream(**asked) as stream:
        assert (await stream.get_final_message()).input_transformations == whole.input_transformations


# ------------------------------------------------------------------------------------------------------ faults


async def test_an_error_in_the_middle_is_the_last_event(stream, client):
    events = await stream("/simulate text a\n/simulate error overloaded_error\n/simulate text b")
    assert events[-1]["error"] == {"type": "overloaded_error", "message": "Overloaded"}
    assert "message_stop" not in [event["type"] for event in events]
    with pytest.raises(anthropic.APIStatusError, match="too busy") as caught:
        async with client.messages.stream(**ask("/simulate error rate_limit_error too busy")) as folding:
            await folding.get_final_message()
    assert (caught.value.type, caught.value.status_code) == ("rate_limit_error", 200)


async def test_an_error_without_a_stream_is_a_status(client):
    with pytest.raises(anthropic.APIStatusError) as caught:
        await client.messages.create(**ask("/simulate text a\n/simulate error"))
    assert (caught.value.status_code, caught.value.type) == (529, "overloaded_error")


def test_after_a_fault_nothing_follows(asked):
    request = asked(**ask("/simulate text a\n/simulate cut\n/simulate text b")).accepted()
    frames = list(streams.events(compose(request), PromptCache().bill(request), request, "req"))
    assert frames[-1] == streams.Fault("cut")
    assert b"message_delta" not in b"".join(frame.data for frame in frames if isinstance(frame, streams.Frame))


async def test_a_cut_ends_the_bytes_without_an_end(simulator):
    async with simulator.post(json=ask("/simulate text hello there\n/simulate cut") | {"stream": True}) as response:
        with pytest.raises(aiohttp.ClientPayloadError):
            await response.read()


async def test_a_cut_without_a_stream_is_no_answer_at_all(simulator):
    with pytest.raises(aiohttp.ServerDisconnectedError):
        await simulator.post(json=ask("/simulate cut"))


@pytest.mark.parametrize("streamed", [True, False])
async def test_a_stall_ends_when_its_time_is_over(start, streamed):
    simulator = await start(stall=0.01)
    with pytest.raises((aiohttp.ClientPayloadError, aiohttp.ServerDisconnectedError)):
        async with simulator.post(json=ask("/simulate stall") | {"stream": streamed}) as response:
            await response.read()
