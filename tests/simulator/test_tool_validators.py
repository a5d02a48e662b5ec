"""Each kind of tool: what it may hold, beyond what test_sdk_types compares with the SDK."""

from typing import Any

import pytest

from claude_proxy.simulator.api_error import ApiError
from claude_proxy.simulator.tool_validators import TOOL, TOOL_CHOICE

NONE: frozenset[str] = frozenset()
CUSTOM = {"name": "t", "input_schema": {"type": "object"}}


@pytest.mark.parametrize(
    "tool",
    [
        CUSTOM,
        CUSTOM | {"type": None, "strict": True, "defer_loading": True, "input_examples": [{}]},
        {"type": "web_search_20250305", "name": "web_search", "user_location": {"type": "approximate", "city": None}},
        {"type": "web_fetch_20250910", "name": "web_fetch", "citations": {"enabled": True}},
        {"type": "tool_search_tool_regex", "name": "tool_search_tool_regex"},
        {"type": "browser_toolset_20260801"},
    ],
)
def test_a_tool_is_accepted(tool: dict[str, Any]):
    TOOL.check(tool, "tools.0", NONE)


@pytest.mark.parametrize(
    ("tool", "text"),
    [
        ({"name": "t"}, "tools.0.custom.input_schema: Field required"),
        (CUSTOM | {"name": ""}, "tools.0.custom.name: String should match pattern '^[a-zA-Z0-9_-]{1,128}$'"),
        (CUSTOM | {"max_uses": 1}, "tools.0.custom.max_uses: Extra inputs are not permitted"),
        (
            {"type": "web_search_20250305", "name": "search"},
            "tools.0.web_search_20250305.name: Input should be 'web_search'",
        ),
        (
            {"type": "web_search_20250305", "name": "web_search", "max_uses": 0},
            "tools.0.web_search_20250305.max_uses: Input should be greater than or equal to 1",
        ),
        (
            {"type": "browser_toolset_20260801", "name": "browser"},
            "tools.0.browser_toolset_20260801.name: Extra inputs are not permitted",
        ),
        (
            CUSTOM | {"allowed_callers": ["anyone"]},
            (
                "tools.0.custom.allowed_callers.0: Input should be 'direct', 'code_execution_20250825', "
                "'code_execution_20260120' or 'code_execution_20260521'"
            ),
        ),
    ],
)
def test_a_tool_is_refused_with_its_param(tool: dict[str, Any], text: str):
    with pytest.raises(ApiError) as refusal:
        TOOL.check(tool, "tools.0", NONE)
    assert refusal.value.message == text


@pytest.mark.parametrize(
    ("tool", "beta"),
    [
        ({"type": "mcp_toolset", "mcp_server_name": "s"}, "mcp-client-2025-11-20"),
        ({"type": "bash_20241022", "name": "bash"}, "computer-use-2024-10-22"),
        (
            {"type": "computer_20250124", "name": "computer", "display_height_px": 1, "display_width_px": 1},
            "computer-use-2025-01-24",
        ),
    ],
)
def test_a_betas_tool_is_unknown_without_it(tool: dict[str, Any], beta: str):
    TOOL.check(tool, "tools.0", frozenset({beta}))
    with pytest.raises(ApiError, match="does not match any of the expected tags"):
        TOOL.check(tool, "tools.0", NONE)


def test_a_tool_choice_names_a_tool_only_if_it_forces_one():
    TOOL_CHOICE.check({"type": "tool", "name": "t", "disable_parallel_tool_use": True}, "tool_choice", NONE)
    with pytest.raises(ApiError, match=r"tool_choice\.any\.name: Extra inputs are not permitted"):
        TOOL_CHOICE.check({"type": "any", "name": "t"}, "tool_choice", NONE)
