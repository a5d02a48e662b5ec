from typing import Any

import pytest
from msgspec import Raw

from claude_proxy.errors import InvalidRequest
from claude_proxy.translate.draft import Draft
from claude_proxy.translate.tools import MAX_STRICT_TOOLS, Grammar, ToolChoiceWish, ToolSet
from claude_proxy.wire import anthropic
from tests.translate.middle import as_json, draft, warnings

CLOSED = Raw(b'{"type":"object","properties":{},"required":[],"additionalProperties":false}')


def finished(choice: ToolChoiceWish | None = None, *, model: str = "claude-opus-4-8", **how: Any) -> Draft:
    """A draft with the functions f and g."""
    made = draft(model)
    tools = ToolSet(made)
    for index, name in enumerate("fg"):
        tools.add_function(name, CLOSED, param=f"tools[{index}]")
    tools.finish(choice, **how)
    return made


def test_a_function_is_sent_under_the_path_that_its_dialect_gives():
    made = draft()
    tools = ToolSet(made)
    tools.add_function("a.b", Raw(b"null"), description="d", param="input[3].tools[0]")
    tools.finish()
    (tool,) = as_json(made.body.tools)
    assert made.tool_names == {"a.b": tool["name"]}
    assert tool["description"] == "d"
    assert made.notes[0].param == "input[3].tools[0].name"


def test_a_custom_tool_is_a_function_with_one_text_and_its_grammar_in_words():
    made = draft()
    tools = ToolSet(made)
    tools.add_custom("patch", description="Apply.", grammar=Grammar("lark", "start: x"), param="tools[0]")
    tools.finish()
    (tool,) = as_json(made.body.tools)
    assert tool["description"] == "Apply.\n\nThe input must follow this lark grammar:\nstart: x"
    assert (made.custom_tools, [param for param, _ in warnings(made)]) == ({"patch"}, ["tools[0].format"])


def test_a_tool_of_anthropics_own_keeps_its_bytes():
    made = draft()
    tools = ToolSet(made)
    raw = Raw(b'{"type":"bash_20250124",  "name":"bash"}')
    tools.add_native(raw, "bash", param="tools[0]")
    tools.finish()
    assert made.body.tools == [raw]
    assert made.server_tools


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        (None, None),
        (ToolChoiceWish("auto"), {"type": "auto"}),
        (ToolChoiceWish("none"), {"type": "none"}),
        (ToolChoiceWish("required"), {"type": "any"}),
        (ToolChoiceWish("named", name="g"), {"type": "tool", "name": "g"}),
    ],
)
def test_a_choice_is_upstreams_own(choice: ToolChoiceWish | None, expected: Any):
    assert as_json(finished(choice).body.tool_choice) == expected


def test_only_allowed_tools_are_sent():
    made = finished(ToolChoiceWish("required", allowed=("g",)))
    assert [tool["name"] for tool in as_json(made.body.tools)] == ["g"]
    assert as_json(made.body.tool_choice) == {"type": "any"}


def test_a_model_that_cannot_be_forced_is_asked():
    made = finished(ToolChoiceWish("named", "tool_choice", name="g"), model="claude-opus-5-5")
    assert [tool["name"] for tool in as_json(made.body.tools)] == ["g"]
    assert as_json(made.body.system) == [{"type": "text", "text": "Call the tool g now."}]
    assert [param for param, _ in warnings(made)] == ["tool_choice"]


def test_a_name_that_no_tool_has_is_refused_under_the_choices_path():
    with pytest.raises(InvalidRequest) as refusal:
        finished(ToolChoiceWish("named", "function_call", name="h"))
    assert refusal.value.param == "function_call"


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        (None, {"type": "auto", "disable_parallel_tool_use": True}),
        (ToolChoiceWish("required"), {"type": "any", "disable_parallel_tool_use": True}),
        (ToolChoiceWish("none"), {"type": "none"}),
    ],
)
def test_one_call_at_a_time_is_part_of_the_choice(choice: ToolChoiceWish | None, expected: Any):
    assert as_json(finished(choice, parallel=False).body.tool_choice) == expected


def test_a_forced_choice_without_tools_is_left_out_with_a_warning():
    made = draft()
    ToolSet(made).finish(ToolChoiceWish("required", "tool_choice"))
    assert made.body.tool_choice is None
    assert [param for param, _ in warnings(made)] == ["tool_choice"]


def test_a_history_with_tools_gets_a_placeholder_that_cannot_be_called():
    made = draft()
    made.body.messages = [anthropic.Message("user", [anthropic.ToolResultBlock("a")])]
    ToolSet(made).finish()
    assert as_json(made.body.tool_choice) == {"type": "none"}
    assert [tool["name"] for tool in as_json(made.body.tools)] == ["former_tools"]


def test_of_two_tools_with_one_name_the_last_is_sent():
    made = draft()
    tools = ToolSet(made)
    for description in ("first", "last"):
        tools.add_function("f", CLOSED, description=description, param="tools[0]")
    tools.finish()
    assert [tool["description"] for tool in as_json(made.body.tools)] == ["last"]
    assert [param for param, _ in warnings(made)] == ["tools"]


def test_the_number_of_strict_tools_is_bounded():
    made = draft()
    tools = ToolSet(made)
    for number in range(MAX_STRICT_TOOLS + 1):
        tools.add_function(f"f{number}", CLOSED, strict=True, param=f"tools[{number}]")
    tools.finish()
    assert [tool.get("strict") for tool in as_json(made.body.tools)] == [True] * MAX_STRICT_TOOLS + [None]


def test_a_web_search_gives_way_to_a_tool_of_its_name():
    made = draft()
    tools = ToolSet(made)
    tools.add_function("web_search", CLOSED, param="tools[0]")
    tools.add_web_search(Raw(b"{}"), param="web_search_options")
    tools.finish()
    assert len(made.body.tools or ()) == 1
    assert [param for param, _ in warnings(made)] == ["web_search_options"]
