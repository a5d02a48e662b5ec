import json
from typing import Any

import msgspec
import pytest
from anthropic.types.beta import message_create_params
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from claude_proxy.wire import anthropic as wire
from tests.support.judge import assert_valid_upstream

CACHE = wire.CacheControl(ttl="1h")


def encoded(body: object) -> Any:
    return json.loads(msgspec.json.encode(body))


def everything() -> wire.MessagesRequest:
    text = wire.TextBlock("t", cache_control=CACHE)
    return wire.MessagesRequest(
        model="claude-opus-4-5",
        max_tokens=9,
        stream=True,
        system=[text],
        messages=[
            wire.Message(
                "user",
                [
                    text,
                    wire.ImageBlock(wire.Base64Source("image/png", "AA=="), CACHE),
                    wire.ImageBlock(wire.UrlSource("https://example.org/i.png")),
                    wire.ImageBlock(wire.FileSource("file_1")),
                    wire.DocumentBlock(wire.TextSource("text/plain", "d"), title="d"),
                    wire.DocumentBlock(wire.Base64Source("application/pdf", "AA==")),
                ],
            ),
            wire.Message(
                "assistant",
                [
                    wire.ThinkingBlock("", "s"),
                    wire.RedactedThinkingBlock("d"),
                    Raw(b'{"type":"text","text":"as it came"}'),
                    wire.ToolUseBlock("1", "f", Raw(b'{"b":1.0,"a":1e2}')),
                ],
            ),
            wire.Message("user", [wire.ToolResultBlock("1", [wire.TextBlock("r")], is_error=True)]),
        ],
        tools=[
            wire.Tool("f", Raw(b'{"type":"object"}'), "d", strict=True),
            Raw(b'{"name":"web_search","type":"web_search_20250305"}'),
        ],
        tool_choice=wire.ToolChoice("tool", "f", disable_parallel_tool_use=True),
        temperature=0.0,
        top_k=1,
        stop_sequences=["x"],
        thinking=wire.Thinking("enabled", 1024),
        output_config=wire.OutputConfig("low", Raw(b'{"type":"json_schema","schema":{}}')),
        metadata=wire.Metadata("u"),
        service_tier="auto",
        cache_control=wire.CacheControl(),
    )


def test_a_request_with_everything_is_one_of_the_official_sdk():
    assert_valid_upstream(encoded(everything()))


def test_a_request_says_only_what_was_set():
    request = wire.MessagesRequest("m", 1, [wire.Message("user", [wire.TextBlock("")])], stream=True)
    assert encoded(request) == {
        "model": "m",
        "max_tokens": 1,
        "messages": [{"role": "user", "content": [{"type": "text", "text": ""}]}],
        "stream": True,
    }


def test_a_zero_that_was_set_is_sent():
    assert encoded(everything())["temperature"] == 0.0


def test_what_only_travels_keeps_its_bytes():
    assert b'"input":{"b":1.0,"a":1e2}' in msgspec.json.encode(everything())


def test_our_fields_are_fields_of_the_official_sdk():
    known = message_create_params.MessageCreateParamsBase.__annotations__.keys() | {"stream"}
    older = {"temperature", "top_p", "top_k"}
    assert set(wire.MessagesRequest.__struct_fields__) - older <= known


TOOL = {"type": "tool_use", "id": "t", "name": "f", "input": {}}
USAGE = {"output_tokens": 0, "input_tokens": None}
EVENTS: list[Any] = [
    (
        {"type": "message_start", "message": {"id": "msg_1", "model": "m", "usage": {"input_tokens": 3}}},
        lambda event: (event.message.id, event.message.usage.input_tokens, event.message.usage.output_tokens),
        ("msg_1", 3, None),
    ),
    (
        {"type": "content_block_start", "index": 2, "content_block": TOOL},
        lambda event: (event.index, event.content_block.name, bytes(event.content_block.input)),
        (2, "f", b"{}"),
    ),
    (
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "é"}},
        lambda event: (event.delta.type, event.delta.text),
        ("text_delta", "é"),
    ),
    (
        {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": USAGE},
        lambda event: (event.delta.stop_reason, event.usage.output_tokens, event.usage.input_tokens),
        ("end_turn", 0, None),
    ),
    (
        {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded", "details": None}},
        lambda event: (event.error.type, event.error.message, event.error.details),
        ("overloaded_error", "Overloaded", None),
    ),
    ({"type": "ping"}, lambda event: (event.type, event.delta), ("ping", None)),
    ({"type": "new_event", "new": {"a": [1]}, "index": 1}, lambda event: (event.type, event.index), ("new_event", 1)),
]


@pytest.mark.parametrize(("event", "of", "expected"), EVENTS, ids=[event[0]["type"] for event in EVENTS])
def test_an_event_is_read_and_what_is_new_in_it_is_ignored(event, of, expected):
    assert of(wire.read_event(json.dumps(event).encode())) == expected
    assert of(wire.read_event(json.dumps(event | {"unheard_of": {"x": 1}}).encode())) == expected


@given(st.text())
def test_a_delta_keeps_its_text(text: str):
    event = {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": text}}
    read = wire.read_event(json.dumps(event, ensure_ascii=False).encode())
    assert read is not None
    assert read.delta is not None
    assert read.delta.text == text


def test_an_error_body_is_read():
    body = b'{"type":"error","error":{"type":"t","message":"m","details":{"error_code":"c"}},"request_id":"req_1"}'
    error = wire.read_error(body)
    assert error.error.details is not None
    assert (error.error.type, error.error.message, error.error.details.error_code) == ("t", "m", "c")
    assert error.request_id == "req_1"


@pytest.mark.parametrize("body", [b"", b"<html>", b"{}", b"[]", b'{"error":"text"}'])
def test_what_is_no_error_body_is_a_decode_error(body: bytes):
    with pytest.raises(msgspec.DecodeError):
        wire.read_error(body)


def test_a_page_of_models_is_read_with_abilities_known_and_unknown():
    leaf = {"supported": True}
    model = {
        "id": "claude-x",
        "type": "model",
        "max_tokens": 5,
        "capabilities": {"thinking": {"supported": True, "types": {"adaptive": leaf}}, "telepathy": leaf},
    }
    page = wire.read_models(json.dumps({"data": [model], "has_more": True, "last_id": "claude-x"}).encode())
    capabilities = page.data[0].capabilities
    assert page.has_more
    assert capabilities is not None
    assert capabilities.effort is None
    assert capabilities.thinking is not None
    assert capabilities.thinking.types is not None
    assert capabilities.thinking.types.adaptive.supported
    assert not capabilities.thinking.types.disabled.supported


def test_a_model_without_details_has_the_defaults_of_the_unknown():
    model = wire.read_models(b'{"data":[{"id":"m"}]}').data[0]
    assert (model.created_at, model.lifecycle, model.max_tokens) == ("1970-01-01T00:00:00Z", "active", None)
