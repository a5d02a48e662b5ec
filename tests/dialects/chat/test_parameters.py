import inspect
from typing import Any

import pytest
from openai.types.chat import completion_create_params
from typing_extensions import get_type_hints

from claude_proxy.dialects.chat.parameters import EXTENSIONS, NESTED, PARAMETERS
from claude_proxy.errors import InvalidRequest
from claude_proxy.options import Options
from claude_proxy.wire.chat_request import ChatRequest
from tests.dialects.chat.case import Case, sent, translated
from tests.dialects.chat.sdk_fields import REQUESTS, nested_fields, without

STRICT = Options(strict=True)


def sdk_fields() -> set[str]:
    kinds = (
        completion_create_params.CompletionCreateParamsStreaming,
        completion_create_params.CompletionCreateParamsNonStreaming,
    )
    return {name for kind in kinds for base in (kind, *kind.__mro__) for name in inspect.get_annotations(base)} | {
        name for kind in kinds for name in get_type_hints(kind)
    }


def test_every_field_of_the_newest_sdk_has_a_fate():
    assert {row.name for row in PARAMETERS} == sdk_fields()


def test_every_field_that_is_read_has_a_fate_and_only_one():
    names = [row.name for row in (*PARAMETERS, *EXTENSIONS)]
    assert len(names) == len(set(names))
    assert set(names) == set(ChatRequest.__struct_fields__)


@pytest.mark.parametrize("row", [*PARAMETERS, *EXTENSIONS], ids=lambda row: row.name)
def test_a_fate_is_told_in_one_line(row: Any):
    assert row.fate in ("mapped", "emulated", "accepted", "ignored", "refused")
    assert row.rule
    assert "\n" not in row.rule
    assert row.theirs


IGNORED: list[dict[str, Any]] = [
    {"frequency_penalty": 0.5},
    {"presence_penalty": -2},
    {"logit_bias": {"5": 1}},
    {"logprobs": True},
    {"top_logprobs": 3},
    {"seed": 0},
    {"store": True},
    {"prediction": {"type": "content", "content": "x"}},
    {"moderation": {"model": "x"}},
    {"service_tier": "flex"},
    {"service_tier": "scale"},
    {"service_tier": "fast"},
    {"service_tier": "fast", "model": "claude-sonnet-5"},
    {"temperature": 0.5},
    {"top_p": 0.5},
    {"top_k": 5},
    {"max_tokens": 10_000_000},
    {"max_completion_tokens": 10_000_000},
    {"tool_choice": "required"},
    {"unknown_parameter": 1},
    {"model": "claude-opus-5-5", "reasoning_effort": "none"},
]


@pytest.mark.parametrize("fields", IGNORED, ids="-".join)
def test_strict_makes_a_400_of_each_warning_that_names_the_parameter(fields: dict[str, Any]):
    (name,) = fields.keys() - {"model"}
    assert translated(fields).warnings == (name,)
    with pytest.raises(InvalidRequest) as refusal:
        translated(fields, options=STRICT)
    assert (refusal.value.param, refusal.value.code) == (name, "unsupported_parameter")


def test_every_warning_in_any_case_becomes_a_400_that_names_its_place():
    for name in ("ignored", "tool_results_missing", "prefill_refused", "tool_choice_named_softened", "schema_free_map"):
        fields = Case(name).json("openai.json")
        first = translated(fields).warnings[0]
        with pytest.raises(InvalidRequest) as refusal:
            translated(fields, options=STRICT)
        assert refusal.value.param == first


def test_what_is_merely_changed_passes_in_strict_mode():
    assert translated(Case("tool_names_mapped").json("openai.json"), options=STRICT).warnings == ()
    assert translated(Case("sampling_defaults").json("openai.json"), options=STRICT).warnings == ()


def test_max_tokens_is_the_models_own_unless_said_or_bounded():
    bounded = Options(max_tokens=500)
    assert sent({"model": "claude-haiku-4-5"})["max_tokens"] == 64_000
    assert sent({}, options=bounded)["max_tokens"] == 500
    assert sent({"max_tokens": 7}, options=bounded)["max_tokens"] == 7
    above = translated({"max_completion_tokens": 501}, options=bounded)
    assert b'"max_tokens":500' in above.body
    assert above.warnings == ("max_completion_tokens",)


def test_sampling_goes_out_where_the_model_takes_it():
    old = {"model": "claude-sonnet-4-5"}
    assert sent({**old, "temperature": 0, "top_k": 3}).items() >= {"temperature": 0, "top_k": 3}.items()
    assert sent({**old, "top_p": 0.96, "reasoning_effort": "low"})["top_p"] == 0.96
    assert translated({**old, "top_p": 0.5, "temperature": 0.5}).warnings == ("top_p",)


def test_fast_is_a_speed_where_the_settings_allow_what_it_costs():
    body = sent({"service_tier": "fast", "model": "claude-opus-5"}, options=Options(fast_mode=True))
    assert body["speed"] == "fast"


def test_a_user_is_a_hash_that_is_always_the_same():
    first, second = (sent({"user": who})["metadata"]["user_id"] for who in ("someone@example.org", "another"))
    assert first != second
    assert "@" not in first
    assert len(first) == 64
    assert sent({"safety_identifier": "another", "user": "x"})["metadata"]["user_id"] == second


def test_as_many_choices_as_the_settings_allow():
    assert translated({"n": 2}, options=Options(max_choices=2)).choices == 2
    for n in (0, -1, 3):
        with pytest.raises(InvalidRequest) as refusal:
            translated({"n": n}, options=Options(max_choices=2))
        assert refusal.value.param == "n"


def test_fields_of_anthropics_own_bring_the_beta_they_need():
    edits = {"context_management": {"edits": [{"type": "compact_20260112"}]}, "mcp_servers": []}
    translation = translated({**edits, "container": "c", "speed": "fast"})
    assert translation.betas == ("context-management-2025-06-27", "compact-2026-01-12", "mcp-client-2025-11-20")
    assert sent(edits).items() >= edits.items()


def outcome(request: dict[str, Any]) -> Any:
    """Everything that depends on a request: what is sent, how the reply is written, and the warnings."""
    try:
        translation = translated(request)
    except InvalidRequest as refusal:
        return refusal.param
    return translation.body, translation.reply, translation.notes, translation.betas


def opaque(path: str) -> bool:
    """Whether the field is part of an object that has one fate as a whole."""
    return path.startswith(OPAQUE)


OPAQUE = ("audio.", "moderation.", "prediction.", "messages[].audio.", "messages[].content[].input_audio")


@pytest.mark.parametrize("path", sorted(nested_fields()))
def test_every_nested_field_of_the_newest_sdk_has_an_effect_or_a_reason(path: str):
    changes = [outcome(less) != outcome(request) for request in REQUESTS for less in without(request, path)]
    assert changes, "no request of REQUESTS has this field"
    assert opaque(path) or any(changes) is (path not in NESTED)


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"extra_body": {"top_k": 5}}, "extra_body.top_k"),
        ({"thinking": {"type": "enabled", "budgetTokens": 5}}, "thinking.budgetTokens"),
        ({"thinking": {"type": "adaptive", "block_binding": {}}}, "thinking.block_binding"),
        ({"messages": [{"role": "user", "content": "x", "id": 1}]}, "messages[0].id"),
        ({"tools": [{"type": "function", "function": {"name": "f", "examples": []}}]}, "tools[0].function.examples"),
        ({"tools": [{"type": "function", "name": "f", "examples": []}]}, "tools[0].examples"),
        ({"web_search_options": {"max_results": 5}}, "web_search_options.max_results"),
        ({"modalities": ["text", "image"]}, "modalities"),
        ({"prompt_cache_retention": "bogus"}, "prompt_cache_retention"),
        ({"function_call": {"name": "f"}}, "function_call"),
    ],
    ids=str,
)
def test_a_nested_field_without_effect_is_a_warning(fields: dict[str, Any], path: str):
    assert translated(fields).warnings == (path,)
    with pytest.raises(InvalidRequest) as refusal:
        translated(fields, options=STRICT)
    assert refusal.value.param == path


def test_null_is_absence_for_unknown_fields_too():
    for fields in ({"min_p": None}, {"extra_body": {"x": None}}, {"reasoning": {"x": None}}):
        assert translated(fields, options=STRICT).warnings == ()


def test_what_clients_send_back_of_a_reply_is_no_unknown_field():
    call = {"index": 0, "id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    reply = {
        "role": "assistant",
        "content": None,
        "refusal": None,
        "annotations": [],
        "audio": None,
        "function_call": None,
        "tool_calls": [call],
        "reasoning_content": "r",
        "reasoning": "r",
        "reasoning_details": [{"type": "reasoning.text", "text": "r", "id": "x", "format": "y", "index": 0}],
    }
    history = [{"role": "user", "content": "x"}, reply, {"role": "tool", "tool_call_id": "a", "content": "r"}]
    assert translated({"messages": history}).warnings == ()
