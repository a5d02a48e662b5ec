"""Objects of a beta: unknown fields and wrong types inside them are refused as everywhere else."""

import pytest

MCP = "mcp-client-2025-11-20"
EDITS = "context-management-2025-06-27"
COMPACT = "compact-2026-01-12"
SERVER = {"type": "url", "name": "s", "url": "https://example.com/mcp"}
TOOLSET = {"type": "mcp_toolset", "mcp_server_name": "s"}


def edits(*rows):
    return {"context_management": {"edits": list(rows)}}


@pytest.mark.parametrize(
    ("beta", "changes", "text"),
    [
        (MCP, {"mcp_servers": [SERVER | {"token": "x"}]}, "mcp_servers.0.token: Extra inputs are not permitted"),
        (MCP, {"mcp_servers": [{"type": "url", "name": "s"}]}, "mcp_servers.0.url: Field required"),
        (
            MCP,
            {"tools": [TOOLSET | {"default_config": {"enable": True}}]},
            "tools.0.mcp_toolset.default_config.enable: Extra inputs are not permitted",
        ),
        (
            MCP,
            {"tools": [TOOLSET | {"configs": {"find": {"enabled": 1}}}]},
            "tools.0.mcp_toolset.configs.find.enabled: Input should be a valid boolean",
        ),
        (
            EDITS,
            edits({"type": "clear_tool_uses_20250919", "keep_last": 3}),
            "context_management.edits.0.clear_tool_uses_20250919.keep_last: Extra inputs are not permitted",
        ),
        (
            EDITS,
            edits({"type": "clear_tool_uses_20250919", "clear_tool_inputs": "all"}),
            "context_management.edits.0.clear_tool_uses_20250919.clear_tool_inputs: Input should be a valid boolean",
        ),
    ],
)
def test_a_wrong_field_is_refused_with_its_param(asked, beta, changes, text):
    assert asked(**changes).refused(beta) == text


def test_each_context_edit_needs_its_own_beta(asked):
    question = asked(**edits({"type": "compact_20260112"}))
    question.accepted(COMPACT)
    assert question.refused(EDITS).startswith("context_management.edits.0: Input tag 'compact_20260112' found")


def test_context_edits_are_accepted_with_all_their_fields(asked):
    tokens, uses = {"type": "input_tokens", "value": 1}, {"type": "tool_uses", "value": 1}
    asked(
        **edits(
            {"type": "clear_tool_uses_20250919", "clear_at_least": tokens, "clear_tool_inputs": ["t"], "keep": uses},
            {"type": "clear_thinking_20251015", "keep": "all"},
            {"type": "clear_thinking_20251015", "keep": {"type": "thinking_turns", "value": 2}},
        )
    ).accepted(EDITS)


def test_a_skill_is_checked(asked):
    asked(container={"skills": [{"type": "anthropic", "skill_id": "pdf", "version": "latest"}]}).accepted()
    text = asked(container={"skills": [{"type": "anthropic"}]}).refused()
    assert text == "container.skills.0.skill_id: Field required"
