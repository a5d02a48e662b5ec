import json
from typing import Any

import pytest
from openai._types import omit
from openai.lib.streaming.responses import ResponseStreamState
from openai.types.responses import Response, ResponseStreamEvent
from pydantic import TypeAdapter

from claude_proxy.dialects.responses.dialect import RESPONSES
from claude_proxy.dialects.responses.response import FoldedResponse, StreamedResponse
from claude_proxy.options import Options
from claude_proxy.translate.models import model_for
from tests.support.messages_stream import (
    block_start,
    block_stop,
    delta,
    message_end,
    message_start,
    text_block,
    thinking_block,
    tool_block,
)

EVENTS: TypeAdapter[Any] = TypeAdapter(ResponseStreamEvent)
RESPONSE = TypeAdapter(Response)

REQUEST = {
    "model": "claude-opus-4-8",
    "input": [{"role": "user", "content": "Hi"}],
    "include": ["reasoning.encrypted_content", "web_search_call.action.sources"],
    "tools": [
        {
            "type": "function",
            "name": "look",
            "parameters": {"type": "object", "properties": {"a": {"type": "integer"}}},
        },
        {"type": "custom", "name": "run"},
        {"type": "web_search"},
        {"type": "shell"},
        {"type": "namespace", "name": "ns", "description": "d", "tools": [{"type": "function", "name": "f"}]},
    ],
}
SEARCH = (
    block_start(2, type="server_tool_use", id="srv_1", name="web_search", input={})
    + delta(2, type="input_json_delta", partial_json='{"query":"cats"}')
    + block_stop(2)
    + block_start(
        3,
        type="web_search_tool_result",
        tool_use_id="srv_1",
        content=[{"type": "web_search_result", "url": "https://a.org", "title": "A"}],
    )
    + block_stop(3)
)
CITED = (
    block_start(4, type="text", text="")
    + delta(4, type="text_delta", text="Cats are")
    + delta(4, type="citations_delta", citation={"type": "web_search_result_location", "url": "https://a.org"})
    + block_stop(4)
)
EVERYTHING = (
    message_start(input_tokens=3, output_tokens=1)
    + thinking_block(0, "Hm.")
    + text_block(1, "Hello", " wor", "ld")
    + SEARCH
    + CITED
    + tool_block(5, '{"a":', "1}")
    + tool_block(6, '{"input":"ec', 'ho"}', name="run", id_="toolu_2")
    + tool_block(7, '{"commands":["ls"]}', name="shell", id_="toolu_3")
    + tool_block(8, "{}", name="ns__f", id_="toolu_4")
    + block_start(9, type="redacted_thinking", data="xx")
    + block_stop(9)
    + message_end("tool_use", output_tokens=20)
)


def streamed(upstream: bytes, size: int = 1 << 20, **fields: Any) -> tuple[list[dict[str, Any]], StreamedResponse]:
    """The events for `upstream`, read in pieces of `size`."""
    request = RESPONSES.read(json.dumps({**REQUEST, **fields}).encode())
    translated = request.translate(model=model_for("claude-opus-4-8", {}), options=Options(), memory=None)
    stream = translated.streamed(id_="abc", created=5)
    frames = b"".join(stream.feed(upstream[pos : pos + size]) for pos in range(0, len(upstream), size))
    stream.close()
    frames += stream.end(stream.usage)
    events = [json.loads(frame.partition("\ndata: ")[2]) for frame in frames.decode().split("\n\n")[:-1]]
    assert [f"event: {event['type']}" for event in events] == [
        frame.partition("\n")[0] for frame in frames.decode().split("\n\n")[:-1]
    ]
    return events, stream


def folded(upstream: bytes, **fields: Any) -> tuple[dict[str, Any], FoldedResponse]:
    request = RESPONSES.read(json.dumps({**REQUEST, **fields}).encode())
    translated = request.translate(model=model_for("claude-opus-4-8", {}), options=Options(), memory=None)
    fold = translated.folded(id_="abc", created=5)
    fold.feed(upstream)
    fold.close()
    body: dict[str, Any] = json.loads(fold.body())
    return body, fold


def accumulated(events: list[dict[str, Any]]) -> Any:
    """What the SDK makes of the events; each is valid by itself."""
    state: ResponseStreamState[Any] = ResponseStreamState(input_tools=[], text_format=omit)
    for event in events:
        state.handle_event(EVENTS.validate_python(event, strict=True))
    return state._completed_response


def test_events_are_numbered_and_valid_and_the_sdk_accumulates_them():
    events, stream = streamed(EVERYTHING)
    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    final = accumulated(events)
    assert final is not None
    assert final.output_text == "Hello worldCats are"
    assert stream.finished is not None
    assert json.loads(stream.finished.body) == events[-1]["response"]


@pytest.mark.parametrize("size", [1, 7, 100, 5000])
def test_the_response_is_the_same_however_its_bytes_are_cut(size: int):
    events, _ = streamed(EVERYTHING, size)
    assert events[-1]["response"] == streamed(EVERYTHING)[0][-1]["response"]


def test_the_folded_response_is_the_streamed_one():
    body, _ = folded(EVERYTHING)
    RESPONSE.validate_python(body, strict=True)
    assert body == streamed(EVERYTHING)[0][-1]["response"]


def test_each_block_is_an_item_of_its_kind():
    body, _ = folded(EVERYTHING)
    assert [item["type"] for item in body["output"]] == [
        "reasoning",
        "message",
        "web_search_call",
        "message",
        "function_call",
        "custom_tool_call",
        "shell_call",
        "function_call",
        "reasoning",
    ]
    assert body["output"][2]["action"] == {
        "type": "search",
        "query": "cats",
        "queries": ["cats"],
        "sources": [{"type": "url", "url": "https://a.org"}],
    }
    assert body["output"][5]["input"] == "echo"
    assert (body["output"][7]["namespace"], body["output"][7]["name"]) == ("ns", "f")
    assert body["usage"]["total_tokens"] == 23


@pytest.mark.parametrize("stop", ["max_tokens", "model_context_window_exceeded"])
def test_a_reply_that_was_cut_is_incomplete_and_so_is_its_last_item(stop: str):
    events, _ = streamed(message_start() + text_block(0, "Hello") + message_end(stop))
    assert events[-1]["type"] == "response.incomplete"
    response = events[-1]["response"]
    assert response["incomplete_details"] == {"reason": "max_output_tokens"}
    assert response["output"][0]["status"] == "incomplete"


def test_a_refusal_without_text_is_a_refusal_part():
    events, _ = streamed(message_start() + message_end("refusal", {"explanation": "Why."}))
    final = accumulated(events)
    assert final is not None
    assert final.output[0].content[0].refusal == "Why."


def test_encrypted_reasoning_is_sent_only_where_it_was_asked_for_and_always_kept():
    body, fold = folded(EVERYTHING, include=[])
    assert not [item for item in body["output"] if "encrypted_content" in item]
    assert fold.finished is not None
    assert fold.finished.output[0].encrypted_content  # type: ignore[union-attr] # the reasoning item


def test_nothing_of_a_response_is_whole_before_upstream_has_ended():
    request = RESPONSES.read(json.dumps(REQUEST).encode())
    translated = request.translate(model=model_for("claude-opus-4-8", {}), options=Options(), memory=None)
    stream = translated.streamed(id_="abc", created=5)
    frames = stream.feed(EVERYTHING[:-60])
    assert b"response.completed" not in frames
    with pytest.raises(Exception, match="whole"):
        stream.close()


def test_the_server_is_told_of_the_response_before_its_last_event():
    request = RESPONSES.read(json.dumps(REQUEST).encode())
    told: list[str] = []
    request.on_finished = lambda finished: told.append(finished.status)
    translated = request.translate(model=model_for("claude-opus-4-8", {}), options=Options(), memory=None)
    stream = translated.streamed(id_="abc", created=5)
    stream.feed(EVERYTHING)
    stream.close()
    assert told == []
    stream.end(None)
    assert told == ["completed"]


def test_what_is_kept_has_the_signed_thinking():
    _, stream = streamed(EVERYTHING, include=[])
    assert stream.finished is not None
    assert "encrypted_content" not in json.loads(stream.finished.body)["output"][-1]
    assert json.loads(stream.finished.stored_body())["output"][-1]["encrypted_content"]
    assert [item.id for item in stream.finished.output_items()] == [
        item["id"] for item in json.loads(stream.finished.body)["output"]
    ]


def test_a_cancelled_response_has_only_the_items_that_are_done():
    request = RESPONSES.read(json.dumps(REQUEST).encode())
    translated = request.translate(model=model_for("claude-opus-4-8", {}), options=Options(), memory=None)
    stream = translated.streamed(id_="abc", created=5)
    stream.begin("queued")
    stream.feed(message_start(input_tokens=3, output_tokens=1) + thinking_block(0, "Hm.") + text_block(1, "Hel"))
    last = json.loads(stream.cancel().decode().split("\n\n")[-2].partition("\ndata: ")[2])
    assert (last["type"], last["response"]["status"]) == ("response.failed", "cancelled")
    assert [item["type"] for item in last["response"]["output"]] == ["reasoning"]
    RESPONSE.validate_python(last["response"], strict=True)
