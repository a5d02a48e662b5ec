import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from claude_proxy.errors import InvalidRequest
from claude_proxy.wire.chat_request import read_chat_request
from claude_proxy.wire.decoding import MAX_NESTING, check_nesting, check_utf8, decode, repaired

CHAT = {"model": "m", "messages": [{"role": "user", "content": "Hi"}]}


def nested(levels: int, *, inner: str = "1") -> str:
    return '{"a":' * levels + inner + "}" * levels


@pytest.mark.parametrize("inner", ["1", '"]]]}}}"', r'"\"}}}]"', r'"\\"', '[["a"]]'])
def test_nesting_has_a_bound_of_ours(inner: str):
    spare = 2 if inner.startswith("[") else 0
    check_nesting(msgspec.Raw(nested(MAX_NESTING - spare, inner=inner).encode()), "tools[0]")
    with pytest.raises(InvalidRequest, match="'tools\\[0\\]' is nested too deeply") as refusal:
        check_nesting(msgspec.Raw(nested(MAX_NESTING - spare + 1, inner=inner).encode()), "tools[0]")
    assert (refusal.value.param, refusal.value.code) == ("tools[0]", "invalid_json")


def test_a_wide_value_is_not_a_deep_one():
    check_nesting(msgspec.Raw(json.dumps([{"a": '"{['}] * 2000).encode()), "anthropic")


# Below the recursion limit of every supported interpreter: without a bound of ours these would be decoded.
@pytest.mark.parametrize(
    ("param", "field"),
    [
        ("anthropic", '"anthropic":%s'),
        ("mcp_servers", '"mcp_servers":[%s]'),
        ("tools[0]", '"tools":[{"type":"function","function":{"name":"f","parameters":%s}}]'),
        ("functions[0].parameters", '"functions":[{"name":"f","parameters":%s}]'),
        (
            "response_format.json_schema.schema",
            '"response_format":{"type":"json_schema","json_schema":{"name":"n","schema":%s}}',
        ),
    ],
)
@pytest.mark.parametrize("unknown", ["", ',"unknown_key":1'])
def test_each_undecoded_value_of_a_chat_request_is_checked(param: str, field: str, unknown: str):
    body = json.dumps(CHAT)[:-1] + "," + field % nested(MAX_NESTING + 1) + unknown + "}"
    with pytest.raises(InvalidRequest, match="nested too deeply") as refusal:
        read_chat_request(body.encode())
    assert refusal.value.param == param


def test_text_that_is_not_utf_8_is_refused():
    with pytest.raises(InvalidRequest) as refusal:
        check_utf8(b"\xff")
    assert refusal.value.code == "invalid_json"


@pytest.mark.parametrize(
    ("text", "param", "code"),
    [
        ("[", "body", "invalid_json"),
        ("{}", "body", "invalid_type"),
        ("[1]", "body[0]", "invalid_type"),
    ],
)
def test_an_error_names_the_param(text: str, param: str, code: str):
    with pytest.raises(InvalidRequest) as refusal:
        decode(msgspec.json.Decoder(list[str]).decode, text.encode(), "body")
    assert (refusal.value.param, refusal.value.code) == (param, code)


def test_a_missing_field_is_named():
    with pytest.raises(InvalidRequest, match="Missing required parameter: 'model'") as refusal:
        read_chat_request(b'{"messages":[]}')
    assert (refusal.value.param, refusal.value.code) == ("model", "missing_required_parameter")


@given(st.text())
def test_a_body_without_lone_surrogates_is_not_copied(text: str):
    body = json.dumps(text).encode()
    assert repaired(body) is body or repaired(body) == body


def test_a_lone_surrogate_becomes_the_replacement_character():
    assert json.loads(repaired(rb'"a\ud83db \ud83d\ude00 \\ud83d"')) == "a\ufffdb 😀 \\ud83d"
