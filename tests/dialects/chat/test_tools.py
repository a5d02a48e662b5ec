from typing import Any

import pytest

from claude_proxy.errors import InvalidRequest
from claude_proxy.translate.tools import MAX_STRICT_TOOLS
from tests.dialects.chat.case import sent, translated


def function(name: str, parameters: Any = None, **more: Any) -> dict[str, Any]:
    return {"type": "function", "function": {"name": name, "parameters": parameters, **more}}


def closed(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": [], "additionalProperties": False}


STRING = {"type": "string"}
UNION = {"type": ["string", "null"]}


def test_only_so_many_tools_can_be_strict():
    tools = [function(f"f{n}", closed(), strict=True) for n in range(MAX_STRICT_TOOLS + 1)]
    translation = translated({"tools": tools})
    assert [tool.get("strict") for tool in sent({"tools": tools})["tools"]] == [True] * MAX_STRICT_TOOLS + [None]
    assert translation.warnings == ("tools",)


@pytest.mark.parametrize(("property_", "most"), [(STRING, 24), (UNION, 16)])
def test_optional_and_union_parameters_of_strict_tools_are_bounded_together(property_: Any, most: int):
    half = closed(**{f"p{n}": property_ for n in range(most // 2 + 1)})
    small = closed(one=property_)
    tools = [function("a", half, strict=True), function("b", half, strict=True), function("c", small, strict=True)]
    found = sent({"tools": tools})["tools"]
    assert [tool.get("strict") for tool in found] == [True, None, True]
    assert found[1]["input_schema"] == half


def test_a_breakpoint_on_a_tool_is_kept():
    tools = [{**function("f"), "cache_control": {"type": "ephemeral", "ttl": "1h"}}]
    assert sent({"tools": tools})["tools"][0]["cache_control"] == {"type": "ephemeral", "ttl": "1h"}


def test_anthropics_own_fields_of_a_tool_travel_as_they_are():
    own = {
        "defer_loading": True,
        "input_examples": [{"a": 1}],
        "allowed_callers": ["direct"],
        "eager_input_streaming": None,
    }
    (tool,) = sent({"tools": [{**function("f"), **own}]})["tools"]
    assert {name: tool.get(name) for name in own} == own


def test_a_function_of_the_name_web_search_wins_over_the_option():
    translation = translated({"tools": [function("web_search")], "web_search_options": {}})
    assert b"web_search_2026" not in translation.body
    assert translation.warnings == ("web_search_options",)


def test_a_search_tool_of_the_clients_own_is_passed_on():
    tool = {"type": "web_search_20250305", "name": "web_search", "max_uses": 2}
    translation = translated({"tools": [tool]})
    assert sent({"tools": [tool]})["tools"] == [tool]
    assert translation.reply.server_tools


@pytest.mark.parametrize(
    ("location", "expected"),
    [
        (
            {"approximate": {"city": "Bern", "region": "BE", "timezone": "", "country": None}},
            {"city": "Bern", "region": "BE"},
        ),
        ({"type": "approximate"}, None),
        (None, None),
    ],
)
def test_the_place_of_a_search_is_flattened(location: Any, expected: Any):
    (tool,) = sent({"web_search_options": {"user_location": location}})["tools"]
    assert tool["max_uses"] == 5
    assert tool.get("user_location") == (expected and {"type": "approximate", **expected})


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"tools": [function("")]}, "tools[0].function.name"),
        ({"tools": [function("f", [1])]}, "tools[0].function.parameters"),
        ({"tools": [{"type": "function"}]}, "tools[0].function"),
        ({"tools": [{"type": "function", "function": {}}]}, "tools[0].function.name"),
        ({"tools": [5]}, "tools[0]"),
        ({"tools": [{"type": "custom", "custom": {"name": 5}}]}, "tools[0].custom.name"),
        ({"tools": [{"type": "file_search"}]}, "tools[0].type"),
        ({"tools": [{"type": "bash_20250124", "name": "bash", "cache_control": 5}]}, "tools[0].cache_control"),
        ({"functions": [{"name": ""}]}, "functions[0].name"),
        ({"functions": [{"name": "f", "parameters": "x"}]}, "functions[0].parameters"),
        ({"functions": [{"name": "f"}], "function_call": "g"}, "function_call"),
        ({"functions": [{"name": "f"}], "function_call": {"name": "g"}}, "function_call"),
        ({"tools": [function("f")], "tool_choice": "always"}, "tool_choice"),
        ({"tools": [function("f")], "tool_choice": {"type": "function"}}, "tool_choice"),
        (
            {
                "tools": [function("f")],
                "tool_choice": {"type": "allowed_tools", "allowed_tools": {"mode": "x", "tools": []}},
            },
            "tool_choice.allowed_tools.mode",
        ),
    ],
)
def test_an_invalid_tool_is_refused_with_its_path(fields: dict[str, Any], param: str):
    with pytest.raises(InvalidRequest) as refusal:
        translated(fields)
    assert refusal.value.param == param


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        ({"type": "auto"}, {"type": "auto"}),
        ({"type": "required"}, {"type": "any"}),
        ({"type": "none"}, {"type": "none"}),
        ({"function": {"name": "f"}, "type": "function"}, {"type": "tool", "name": "f"}),
    ],
)
def test_a_choice_may_be_an_object(choice: Any, expected: Any):
    assert sent({"tools": [function("f")], "tool_choice": choice})["tool_choice"] == expected


@pytest.mark.parametrize(("choice", "expected"), [("auto", {"type": "auto"}), ("none", {"type": "none"}), (None, None)])
def test_the_older_choice_never_allows_parallel_calls(choice: Any, expected: Any):
    body = sent({"functions": [{"name": "f"}], "function_call": choice})
    wanted = expected or {"type": "auto"}
    assert body["tool_choice"] == (wanted if choice == "none" else {**wanted, "disable_parallel_tool_use": True})


def test_a_tool_may_lack_its_type_and_its_description():
    tool = {"function": {"name": "f", "description": ""}}
    with pytest.raises(InvalidRequest):  # the SDK always sends it, and without it a typo would pass
        translated({"tools": [tool]})


def test_an_older_call_that_is_forced_is_asked_for_where_the_model_cannot_be_forced():
    fields = {"model": "claude-opus-5-5", "functions": [{"name": "f"}, {"name": "g"}], "function_call": {"name": "g"}}
    body = sent(fields)
    assert [tool["name"] for tool in body["tools"]] == ["g"]
    assert body["tool_choice"] == {"type": "auto", "disable_parallel_tool_use": True}
    assert translated(fields).warnings == ("function_call",)


@pytest.mark.parametrize(
    "tool",
    [
        {"type": "mcp_toolset", "mcp_server_name": "x"},
        {"type": "tool_search_tool_regex", "name": "tool_search_tool_regex"},
        {"type": "tool_search_tool_bm25", "name": "tool_search_tool_bm25"},
    ],
    ids=lambda tool: tool["type"],
)
def test_a_tool_of_anthropics_own_may_lack_a_date(tool: dict[str, Any]):
    assert sent({"tools": [tool]})["tools"] == [tool]


def test_two_toolsets_of_different_servers_are_two_tools():
    tools = [{"type": "mcp_toolset", "mcp_server_name": name} for name in "ab"]
    assert sent({"tools": tools})["tools"] == tools


def test_strict_beside_the_function_counts_for_it():
    tool = {"type": "function", "function": {"name": "f", "parameters": closed(a=STRING)}, "strict": True}
    assert sent({"tools": [tool]})["tools"][0]["strict"]


def test_a_choice_of_functions_without_functions_is_a_warning():
    assert translated({"function_call": {"name": "f"}}).warnings == ("function_call",)


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        ({"type": "function", "name": "f"}, {"type": "tool", "name": "f"}),
        ({"type": "tool", "name": "f"}, {"type": "tool", "name": "f"}),
        ({"type": "any"}, {"type": "any"}),
    ],
)
def test_a_choice_may_be_flat_or_anthropics(choice: Any, expected: Any):
    tool = {"type": "function", "name": "f", "parameters": {"type": "object", "properties": {}}}
    assert sent({"tools": [tool], "tool_choice": choice})["tool_choice"] == expected


def test_a_flat_tool_names_its_own_fields_in_errors():
    for tool, param in (
        ({"name": "f", "input_schema": [1]}, "tools[0].input_schema"),
        ({"type": "function", "name": "f", "parameters": [1]}, "tools[0].parameters"),
        ({"name": "f"}, "tools[0].type"),
    ):
        with pytest.raises(InvalidRequest) as refusal:
            translated({"tools": [tool]})
        assert refusal.value.param == param
