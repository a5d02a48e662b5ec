from typing import Any, get_type_hints

import pytest
from openai.types.responses.response_create_params import ResponseCreateParamsStreaming

from claude_proxy.dialects.responses.parameters import EXTENSIONS, PARAMETERS
from claude_proxy.errors import InvalidRequest
from claude_proxy.options import Options
from claude_proxy.wire.responses_request import ResponsesRequest
from tests.dialects.chat.sdk_fields import _walk, without
from tests.dialects.responses.case import translated

STRICT = Options(strict=True)


def test_every_field_of_the_newest_sdk_has_a_fate():
    assert {row.name for row in PARAMETERS} == get_type_hints(ResponseCreateParamsStreaming).keys()


def test_every_field_that_is_read_has_one_fate():
    names = [row.name for row in (*PARAMETERS, *EXTENSIONS)]
    assert sorted(names) == sorted(ResponsesRequest.__struct_fields__)


# Objects of the request that have one fate as a whole, and those whose fields depend on a type of their own: items and
# tools, whose fields are held against the SDK's one type at a time (tests/wire).
_WHOLE = (
    *("access_programs.", "background_options.", "context_management", "image.", "moderation.", "prompt."),
    *("input[].", "tools[].", "conversation."),
)
_NO_EFFECT = {
    "stream_options.include_obfuscation": "obfuscation is never added",
    "tool_choice.type": "tested by the cases of each type",
    "tool_choice.tools": "tested by the cases of allowed tools",
    "tool_choice.mode": "tested by the cases of allowed tools",
    "tool_choice.server_label": "tested by the cases of MCP servers",
}
_SCHEMA = {"type": "object", "properties": {}, "additionalProperties": False}
REQUEST: dict[str, Any] = {
    "prompt_cache_options": {"mode": "explicit", "ttl": "30m", "prewarm": True, "comparison_response_id": "x"},
    "reasoning": {"effort": "high", "summary": "auto", "context": "current_turn", "mode": "pro"},
    "stream_options": {"include_obfuscation": True},
    "text": {
        "verbosity": "low",
        "format": {"type": "json_schema", "name": "n", "description": "d", "schema": _SCHEMA, "strict": True},
    },
    "tools": [{"type": "function", "name": "f"}],
    "tool_choice": {"type": "function", "name": "f"},
}
OTHER = {**REQUEST, "reasoning": {"generate_summary": "auto"}, "prompt_cache_options": {"ttl": "30m"}}
NESTED = sorted(
    {path for path in _walk(ResponseCreateParamsStreaming, "", ()) if "." in path and not path.startswith(_WHOLE)}
)


def outcome(request: dict[str, Any]) -> Any:
    try:
        translation = translated(request)
    except InvalidRequest as refusal:
        return refusal.param
    return translation.body, translation.reply, translation.notes


@pytest.mark.parametrize("path", NESTED)
def test_every_nested_field_of_the_newest_sdk_has_an_effect_or_a_reason(path: str):
    changes = [outcome(less) != outcome(request) for request in (REQUEST, OTHER) for less in without(request, path)]
    assert path in _NO_EFFECT or any(changes)


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"mystery": 1}, "mystery"),
        ({"truncation": "auto"}, "truncation"),
        ({"top_logprobs": 2}, "top_logprobs"),
        ({"moderation": {"model": "m"}}, "moderation"),
        ({"temperature": 0.5}, "temperature"),
        ({"service_tier": "flex"}, "service_tier"),
        ({"reasoning": {"mode": "pro"}}, "reasoning.mode"),
        ({"tools": [{"type": "file_search", "vector_store_ids": []}]}, "tools[0]"),
        ({"tools": [{"type": "mcp", "server_label": "d", "server_url": "https://m"}]}, "tools[0].require_approval"),
        ({"input": [{"role": "user", "content": "x", "mood": 1}]}, "input[0].mood"),
    ],
    ids=str,
)
def test_what_has_no_effect_is_a_warning_and_strict_refuses_it(fields: dict[str, Any], param: str):
    assert translated(fields).warnings == (param,)
    with pytest.raises(InvalidRequest) as refusal:
        translated(fields, options=STRICT)
    assert (refusal.value.param, refusal.value.code) == (param, "unsupported_parameter")


WRONG: list[Any] = [5, "x", [5], {"x": 5}, True]


@pytest.mark.parametrize("name", sorted(ResponsesRequest.__struct_fields__))
def test_a_value_of_any_type_is_said_or_refused_with_its_place(name: str):
    refusals = [refusal for value in WRONG if (refusal := refused({name: value})) is not None]
    assert all(refusal.status == 400 for refusal in refusals)
    assert all((refusal.param or "").startswith((name, "previous_response_id")) for refusal in refusals)


def refused(fields: dict[str, Any]) -> InvalidRequest | None:
    try:
        translated(fields)
    except InvalidRequest as refusal:
        return refusal
    return None
