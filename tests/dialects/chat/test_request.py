from typing import Any

import pytest

from claude_proxy.errors import InvalidRequest
from tests.dialects.chat.case import sent, translated


def test_the_request_is_always_streamed():
    assert sent({"stream": False})["stream"] is True
    assert sent({"anthropic": {"stream": False}})["stream"] is True


def test_the_anthropic_object_is_merged_last_key_by_key():
    body = sent(
        {
            "reasoning_effort": "low",
            "temperature": 0.5,
            "anthropic": {
                "output_config": {"effort": "max", "task_budget": {"type": "tokens", "total": 9}},
                "temperature": 0.25,
                "metadata": {"user_id": "x"},
                "thinking": None,
                "service_tier": None,
                "messages": [{"role": "user", "content": "all mine"}],
            },
        }
    )
    assert body["output_config"] == {"effort": "max", "task_budget": {"type": "tokens", "total": 9}}
    assert (body["temperature"], body["metadata"]) == (0.25, {"user_id": "x"})
    assert not {"thinking", "service_tier"} & body.keys()
    assert body["messages"] == [{"role": "user", "content": "all mine"}]


@pytest.mark.parametrize("value", [[], "x", 1, True])
def test_the_anthropic_extension_is_an_object(value: Any):
    with pytest.raises(InvalidRequest) as refusal:
        translated({"anthropic": value})
    assert refusal.value.param == "anthropic"


def test_numbers_and_texts_survive_the_way_through():
    arguments = '{"n": 1.50, "big": 123456789012345678901234567890, "t": "é\\u0001"}'
    history = [
        {"role": "user", "content": "x"},
        {"role": "assistant", "tool_calls": [{"id": "a", "function": {"name": "f", "arguments": arguments}}]},
    ]
    schema = {"type": "object", "properties": {"n": {"maximum": 1.50}}}
    tools = [{"type": "function", "function": {"name": "f", "parameters": schema}}]
    body = translated({"messages": history, "tools": tools}).body
    assert arguments.encode() in body
    assert b'"maximum": 1.5' in body


def test_the_same_request_is_always_the_same_bytes():
    fields = {"tools": [{"type": "function", "function": {"name": "f.x"}}], "user": "u", "verbosity": "low"}
    assert translated(fields).body == translated(fields).body


def test_the_answer_knows_what_the_request_asked_for():
    reply = translated(
        {
            "stream_options": {"include_usage": True},
            "tools": [{"type": "function", "function": {"name": "a.b"}}, {"type": "custom", "custom": {"name": "c"}}],
            "response_format": {"type": "json_object"},
            "stop": [" ", "x"],
            "reasoning": {"exclude": True},
            "service_tier": "auto",
        }
    ).reply
    assert reply.model == "claude-opus-4-8"
    assert (reply.include_usage, reply.json_mode, reply.show_reasoning, reply.echo_service_tier) == (
        True,
        True,
        False,
        True,
    )
    assert list(reply.client_names.values()) == ["a.b"]
    assert (reply.custom_tools, reply.stops, reply.server_tools) == (frozenset({"c"}), (" ",), False)


def test_the_prefix_is_only_taken_where_thinking_is_bound_to_it():
    tools = [{"type": "function", "function": {"name": "f"}}]
    assert translated({"model": "claude-opus-5-5", "tools": tools}).prefix
    assert not translated({"model": "claude-opus-5-5"}).prefix
    assert not translated({"model": "claude-opus-5", "tools": tools}).prefix
