from typing import Any

import pytest

from claude_proxy.dialects.chat.request import to_messages_request
from claude_proxy.options import Options
from claude_proxy.translate.models import model_for
from claude_proxy.wire.anthropic import ModelCapabilities, ModelInfo, ThinkingCapability, ThinkingTypes
from claude_proxy.wire.chat_request import read_chat_request
from tests.dialects.chat.case import sent, translated

OLD = "claude-sonnet-4-5"


def test_reasoning_text_that_is_not_shown_is_not_asked_for():
    hidden = Options(reasoning_text=False)
    fields = {"model": "claude-opus-5"}
    assert sent(fields, options=hidden)["thinking"] == {"type": "adaptive"}
    assert not translated(fields, options=hidden).reply.show_reasoning


@pytest.mark.parametrize(
    ("fields", "budget", "max_tokens"),
    [
        ({"reasoning_effort": "high"}, 4096, 64_000),
        ({"reasoning_effort": "max", "max_tokens": 16_384}, 16_384, 32_768),
        ({"reasoning": {"enabled": True}, "max_tokens": 100}, 2048, 2148),
        ({"thinking": {"type": "enabled", "budget_tokens": 1_000_000}}, 48_000, 64_000),
        ({"thinking": {"type": "enabled", "budget_tokens": 60_000}, "max_tokens": 50_000}, 48_000, 64_000),
        ({"thinking": {"type": "adaptive"}, "max_tokens": 1}, 2048, 2049),
    ],
)
def test_a_budget_stays_below_max_tokens(fields: dict[str, Any], budget: int, max_tokens: int):
    body = sent({"model": OLD, **fields})
    assert body["thinking"] == {"type": "enabled", "budget_tokens": budget}
    assert body["max_tokens"] == max_tokens


def test_a_budget_never_passes_the_configured_bound():
    body = sent({"model": OLD, "reasoning_effort": "max"}, options=Options(max_tokens=3000))
    assert (body["thinking"]["budget_tokens"], body["max_tokens"]) == (1976, 3000)
    short = {"model": OLD, "reasoning_effort": "max"}
    assert "thinking" not in sent(short, options=Options(max_tokens=1024))
    assert translated(short, options=Options(max_tokens=1024)).warnings == ("reasoning_effort",)


def test_a_display_goes_with_a_budget_too():
    wish = {"type": "enabled", "budget_tokens": 2000, "display": "omitted"}
    assert sent({"model": OLD, "thinking": wish})["thinking"] == wish


def test_a_forced_tool_is_not_thought_about_with_a_budget():
    tools = [{"type": "function", "function": {"name": "f"}}]
    fields = {"model": OLD, "tools": tools, "tool_choice": "required", "enable_thinking": True}
    assert "thinking" not in sent(fields)
    assert translated(fields).warnings == ("enable_thinking",)


def test_a_model_that_cannot_think_is_not_asked_to():
    none = ModelCapabilities(thinking=ThinkingCapability(types=ThinkingTypes()))
    model = model_for("claude-x", {"claude-x": ModelInfo("claude-x", capabilities=none)})
    request = b'{"model":"claude-x","messages":[{"role":"user","content":"x"}],"enable_thinking":%b}'
    for wish, warnings in ((b"true", ("enable_thinking",)), (b"false", ())):
        chat, _ = read_chat_request(request % wish)
        translation = to_messages_request(chat, model=model, options=Options())
        assert b"thinking" not in translation.body
        assert translation.warnings == warnings


TOOL_TURN = [
    {"role": "user", "content": "x"},
    {
        "role": "assistant",
        "thinking_blocks": [{"type": "thinking", "thinking": "t", "signature": "s"}],
        "tool_calls": [{"id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}}],
    },
    {"role": "tool", "tool_call_id": "a", "content": "ok"},
]
TOOLS = [{"type": "function", "function": {"name": "f"}}]


def test_without_earlier_thinking_an_old_model_does_not_think_in_a_tool_turn():
    fields = {"model": OLD, "messages": TOOL_TURN, "tools": TOOLS, "reasoning_effort": "high"}
    assert sent(fields)["thinking"]["type"] == "enabled"
    body = sent(fields, without_thinking=True)
    assert "thinking" not in body
    assert [block["type"] for block in body["messages"][1]["content"]] == ["tool_use"]


@pytest.mark.parametrize("model", ["claude-sonnet-5", "claude-opus-5", "claude-haiku-5-5"])
def test_a_forced_tool_switches_thinking_off(model: str):
    for fields in ({}, {"reasoning_effort": "max"}):
        body = sent({"model": model, "tools": TOOLS, "tool_choice": "required", **fields})
        assert body["thinking"] == {"type": "disabled"}


def test_a_model_that_does_not_think_by_default_is_not_told_to_stop():
    assert "thinking" not in sent({"model": "claude-opus-4-8", "tools": TOOLS, "tool_choice": "required"})


@pytest.mark.parametrize("model", ["claude-opus-4-8", "claude-sonnet-4-6", OLD])
def test_the_retry_with_a_forced_tool_switches_thinking_off(model: str):
    fields = {"model": model, "tools": TOOLS, "tool_choice": "required"}
    assert "thinking" not in sent(fields)
    assert sent(fields, without_thinking=True)["thinking"] == {"type": "disabled"}


def test_the_retry_says_nothing_to_a_model_that_always_thinks():
    fields = {"model": "claude-fable-5", "tools": TOOLS, "tool_choice": "required"}
    assert "thinking" not in sent(fields, without_thinking=True)


def test_the_effort_is_lowered_where_a_model_without_thinking_takes_less():
    fields = {"model": "claude-opus-5", "tools": TOOLS, "tool_choice": "required", "reasoning_effort": "max"}
    assert sent(fields)["output_config"] == {"effort": "high"}


def test_a_setting_that_bounds_the_answer_leaves_room_for_it():
    body = sent({"model": OLD, "reasoning_effort": "high"}, options=Options(max_tokens=4096))
    assert (body["max_tokens"], body["thinking"]["budget_tokens"]) == (4096, 3072)
    notes = translated({"model": OLD, "reasoning_effort": "high"}, options=Options(max_tokens=4096)).notes
    assert [note.param for note in notes] == ["reasoning_effort"]
