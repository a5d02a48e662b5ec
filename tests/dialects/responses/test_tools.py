from typing import Any

import pytest

from claude_proxy.errors import InvalidRequest
from tests.dialects.responses.case import sent, translated

LOOK = {"type": "function", "name": "look"}
FINDER = {"type": "tool_search_tool_bm25_20251119", "name": "tool_search_tool_bm25"}


def test_tools_are_deferred_only_where_something_finds_them():
    deferred = {**LOOK, "defer_loading": True}
    assert "defer_loading" not in sent({"tools": [deferred]})["tools"][0]
    assert sent({"tools": [FINDER, deferred]})["tools"][1]["defer_loading"] is True


def test_openais_callers_are_not_sent_and_anthropics_are():
    assert "allowed_callers" not in sent({"tools": [{**LOOK, "allowed_callers": ["direct"]}]})["tools"][0]
    own = ["code_execution_20250825"]
    assert sent({"tools": [{**LOOK, "allowed_callers": own}]})["tools"][0]["allowed_callers"] == own


def test_a_shell_that_runs_at_openai_is_left_out():
    shell = {"type": "shell", "environment": {"type": "container_auto"}}
    assert "tools" not in sent({"tools": [shell]})
    assert translated({"tools": [shell]}).warnings == ("tools[0]",)


def test_the_tools_of_a_server_can_be_chosen_together():
    server = {"type": "mcp", "server_label": "d", "server_url": "https://m", "require_approval": "never"}
    body = sent({"tools": [server, LOOK], "tool_choice": {"type": "mcp", "server_label": "d"}})
    assert [tool["type"] for tool in body["tools"]] == ["mcp_toolset"]
    assert body["tool_choice"] == {"type": "any"}


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"tools": ["look"]}, "tools[0]"),
        ({"tools": [{"type": "namespace", "name": "n", "tools": [{"type": "namespace"}]}]}, "tools[0].tools[0].type"),
        ({"tools": [{"type": "mcp", "server_label": "d", "server_url": "u", "allowed_tools": 5}]}, "tools[0]"),
        ({"tools": [{"type": "mcp", "server_label": "d", "tunnel_id": "t"}]}, "tools[0].server_url"),
        ({"tools": [LOOK], "tool_choice": {"type": "function"}}, "tool_choice"),
    ],
    ids=str,
)
def test_a_fault_is_refused_with_its_place(fields: dict[str, Any], param: str):
    with pytest.raises(InvalidRequest) as refusal:
        translated(fields)
    assert (refusal.value.param or "").startswith(param)
