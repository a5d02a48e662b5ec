import contextlib
import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types.chat import completion_create_params
from openai.types.chat.completion_create_params import CompletionCreateParamsNonStreaming

from claude_proxy.errors import InvalidRequest
from claude_proxy.wire import chat_request as wire
from claude_proxy.wire.chat_messages import UserMessage
from claude_proxy.wire.chat_request import ChatRequest, read_chat_request
from claude_proxy.wire.decoding import decode as decode_json
from claude_proxy.wire.decoding import repaired

HELLO = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}


def chat(**fields: object) -> ChatRequest:
    request, strangers = read_chat_request(json.dumps(HELLO | fields).encode())
    assert not strangers
    return request


def refused(body: object) -> InvalidRequest:
    with pytest.raises(InvalidRequest) as caught:
        read_chat_request(body if isinstance(body, bytes) else json.dumps(body).encode())
    return caught.value


def test_every_field_of_the_sdks_create_params_is_known():
    fields = {
        *CompletionCreateParamsNonStreaming.__annotations__,
        *completion_create_params.CompletionCreateParamsStreaming.__annotations__,
        *completion_create_params.CompletionCreateParamsBase.__annotations__,
    }
    assert fields <= set(ChatRequest.__struct_fields__)


def optional_fields() -> list[str]:
    hints = msgspec.structs.fields(ChatRequest)
    return [field.name for field in hints if not field.required]


@pytest.mark.parametrize("name", optional_fields())
def test_null_equals_absence(name: str):
    assert msgspec.json.encode(chat(**{name: None})) == msgspec.json.encode(chat())


def test_only_the_model_and_the_messages_are_required():
    request = chat()
    assert request.model == "m"
    assert isinstance(request.messages[0], UserMessage)
    assert request.messages[0].content == "hi"


def test_unknown_fields_are_named():
    _, strangers = read_chat_request(json.dumps(HELLO | {"best_of": 3, "num_ctx": 1, "seed": 1}).encode())
    assert strangers == {"best_of", "num_ctx"}


MESSAGES = [
    {"role": "system", "content": [{"type": "text", "text": "s"}]},
    {"role": "developer", "content": "d", "name": "n"},
    {
        "role": "user",
        "content": [
            {"type": "text", "text": "t", "cache_control": {"type": "ephemeral", "ttl": "1h"}},
            {"type": "image_url", "image_url": {"url": "https://example.org/i.png", "detail": "low"}},
            {"type": "image_url", "image_url": "https://example.org/i.png"},
            {"type": "input_audio", "input_audio": {"data": "", "format": "wav"}},
            {"type": "file", "file": {"file_id": "f"}},
        ],
    },
    {
        "role": "assistant",
        "content": None,
        "reasoning_content": "r",
        "tool_calls": [
            {"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}},
            {"id": "2", "custom": {"name": "c", "input": "x"}},
        ],
    },
    {"role": "tool", "tool_call_id": "1", "content": [{"type": "text", "text": "r"}]},
    {"role": "tool", "tool_call_id": "2", "content": {"any": "json"}},
    {"role": "function", "name": "f", "content": "r"},
    {"role": "assistant", "content": [{"type": "thinking", "thinking": "t", "signature": "s"}], "refusal": "no"},
]


def test_every_role_and_part_is_read():
    messages = chat(messages=MESSAGES).messages
    assert [type(message).__name__ for message in messages] == [
        *("SystemMessage", "DeveloperMessage", "UserMessage", "AssistantMessage", "ToolMessage", "ToolMessage"),
        *("FunctionMessage", "AssistantMessage"),
    ]


def test_what_only_travels_keeps_its_bytes():
    tool = b'{"type":"function", "function":{"name":"f","parameters":{"b":1.0,  "a":1e2}}}'
    request, _ = read_chat_request(b'{"model":"m","messages":[],"tools":[' + tool + b"]}")
    assert request.tools is not None
    assert bytes(request.tools[0]) == tool


@pytest.mark.parametrize(
    ("change", "param", "code"),
    [
        ({"messages": None}, "messages", "invalid_type"),
        ({"messages": [{"role": "user", "content": 3}]}, "messages[0].content", "invalid_type"),
        ({"messages": [{"role": "robot", "content": ""}]}, "messages[0].role", "invalid_value"),
        ({"messages": [{"content": ""}]}, "messages[0].role", "missing_required_parameter"),
        ({"messages": [{"role": "tool"}]}, "messages[0].tool_call_id", "missing_required_parameter"),
        (
            {"messages": [*HELLO["messages"], {"role": "user", "content": [{"type": "video"}]}]},
            "messages[1].content[0].type",
            "invalid_value",
        ),
        (
            {"messages": [{"role": "user", "content": [{"type": "text"}]}]},
            "messages[0].content[0].text",
            "missing_required_parameter",
        ),
        ({"max_tokens": "ten"}, "max_tokens", "invalid_type"),
        ({"max_tokens": 1.5}, "max_tokens", "invalid_type"),
        ({"stream": "yes"}, "stream", "invalid_type"),
        ({"temperature": True}, "temperature", "invalid_type"),
        ({"response_format": {}}, "response_format.type", "missing_required_parameter"),
        ({"stop": ["a", 1]}, "stop[1]", "invalid_type"),
    ],
    ids=repr,
)
def test_a_misfit_names_its_place(change: dict[str, object], param: str, code: str):
    error = refused(HELLO | change)
    assert (error.status, error.type, error.param, error.code) == (400, "invalid_request_error", param, code)
    assert param in error.message


def test_a_missing_field_is_named_as_openai_names_it():
    error = refused({"model": "m"})
    assert error.message == "Missing required parameter: 'messages'."
    assert error.param == "messages"


@pytest.mark.parametrize(
    "body", [b"", b"{", b"nonsense", b'{"a":\xff}', b'{"a":' + b"[" * 100_000, b'{"a":1}x', b"\x00"]
)
def test_what_is_no_json_is_refused(body: bytes):
    error = refused(body)
    assert error.message.startswith("We could not parse the JSON body of your request")
    assert (error.param, error.code) == (None, "invalid_json")


@pytest.mark.parametrize("body", [b"[]", b"3", b"null", b'"text"'])
def test_a_body_that_is_no_object_is_refused_without_a_place(body: bytes):
    error = refused(body)
    assert (error.param, error.code) == (None, "invalid_type")


def test_a_misfit_in_a_part_names_its_place_in_the_whole():
    decode = msgspec.json.Decoder(wire.FunctionTool).decode
    with pytest.raises(InvalidRequest) as caught:
        decode_json(decode, b'{"type":"function","function":{}}', at="tools[3]")
    assert caught.value.param == "tools[3].function.name"


def test_a_broken_part_names_its_place_in_the_whole():
    with pytest.raises(InvalidRequest) as caught:
        decode_json(msgspec.json.Decoder(wire.FunctionTool).decode, b"{", at="tools[3]")
    assert caught.value.param == "tools[3]"


@given(
    st.binary() | st.recursive(st.none() | st.booleans() | st.text(), st.lists).map(lambda v: json.dumps(v).encode())
)
def test_any_bytes_are_a_request_or_a_400(body: bytes):
    with contextlib.suppress(InvalidRequest):
        read_chat_request(body)


@pytest.mark.parametrize(
    ("text", "mended"),
    [
        ("plain", "plain"),
        (r"\ud83d\ude00", "😀"),
        (r"\ud83d", "�"),
        (r"\ude00", "�"),
        (r"\uD83D x", "� x"),
        (r"\ud83d\ud83d\ude00", "�😀"),
        (r"\\ud83d", r"\ud83d"),
        (r"\\\ud83d", "\\�"),
        (r"\ude00\ud83d", "��"),
        (r"\u00e9\ud800A", "é�A"),
    ],
)
def test_half_a_character_becomes_the_replacement_character(text: str, mended: str):
    body = f'{{"model":"m","messages":[{{"role":"user","content":"{text}"}}]}}'.encode()
    request, _ = read_chat_request(body)
    assert isinstance(request.messages[0], UserMessage)
    assert request.messages[0].content == mended


def test_a_body_without_surrogates_is_not_copied():
    body = json.dumps(HELLO).encode()
    assert repaired(body) is body


@given(st.text(st.characters(codec=None, categories=("Cs", "Ll", "So")), max_size=20))
def test_whatever_a_javascript_client_cuts_can_be_read(text: str):
    request, _ = read_chat_request(json.dumps({"model": text, "messages": []}).encode())
    request.model.encode()
