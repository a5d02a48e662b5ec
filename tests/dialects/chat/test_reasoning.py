from typing import Any

import pytest

from claude_proxy.errors import InvalidRequest
from tests.dialects.chat.case import sent, translated

SHOWN = {"type": "adaptive", "display": "summarized"}


def thinking(**fields: Any) -> tuple[Any, Any]:
    """Thinking and effort that go upstream."""
    body = sent({"model": "claude-opus-4-8", **fields})
    return body.get("thinking"), body.get("output_config", {}).get("effort")


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, (None, None)),
        ({"reasoning_effort": "medium"}, (SHOWN, "medium")),
        ({"reasoning": {"effort": "low"}}, (SHOWN, "low")),
        ({"reasoning": {"enabled": True}}, (SHOWN, None)),
        ({"reasoning": {"max_tokens": 0}}, ({"type": "disabled"}, None)),
        ({"reasoning": {"max_tokens": 1024}}, (SHOWN, "low")),
        ({"reasoning": {"max_tokens": 2000}}, (SHOWN, "medium")),
        ({"reasoning": {"max_tokens": 9000}}, (SHOWN, "high")),
        ({"reasoning": {"max_tokens": 9000, "effort": "max"}}, (SHOWN, "max")),
        ({"reasoning": {"exclude": True, "effort": "low"}}, ({"type": "adaptive"}, "low")),
        ({"thinking": {"type": "disabled"}, "reasoning_effort": "max"}, ({"type": "disabled"}, "high")),
        ({"thinking": {"type": "adaptive"}, "reasoning_effort": "max"}, (SHOWN, "max")),
        ({"enable_thinking": False, "reasoning_effort": "low"}, ({"type": "disabled"}, "low")),
        ({"enable_thinking": True, "extra_body": {"enable_thinking": False}}, (SHOWN, None)),
        ({"extra_body": {"thinking": {"type": "enabled", "budget_tokens": 1}}}, (SHOWN, "low")),
        ({"extra_body": {"reasoning_effort": "none"}}, ({"type": "disabled"}, None)),
        ({"reasoning_effort": "high", "extra_body": {"reasoning_effort": "none"}}, (SHOWN, "high")),
    ],
)
def test_every_way_to_ask_for_reasoning_is_read(fields: dict[str, Any], expected: Any):
    assert thinking(**fields) == expected


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"reasoning_effort": "huge"}, "reasoning_effort"),
        ({"reasoning": {"effort": "huge"}}, "reasoning.effort"),
        ({"thinking": {"type": "on"}}, "thinking.type"),
        ({"thinking": {"type": "adaptive", "display": "x"}}, "thinking.display"),
    ],
)
def test_an_unknown_word_is_refused_with_its_path(fields: dict[str, Any], param: str):
    with pytest.raises(InvalidRequest) as refusal:
        translated(fields)
    assert refusal.value.param == param
