"""Validators of objects that exist only with a beta: MCP servers and toolsets, context edits, skills."""

from claude_proxy.simulator.block_validators import CACHED, TEXT, literal, tagged
from claude_proxy.simulator.validators import (
    Boolean,
    Dictionary,
    ListOf,
    Nullable,
    Object,
    OneOf,
    TaggedUnion,
    Text,
    TextOr,
    integer,
)


class _ToolInputs:
    """`clear_tool_inputs`: a boolean, or a list of tool names."""

    def check(self, value: object, param: str, betas: frozenset[str]) -> None:
        (ListOf(TEXT) if isinstance(value, list) else Boolean()).check(value, param, betas)


MCP_SERVER = Object(
    {"type": literal("url"), "url": TEXT, "name": TEXT},
    {
        "authorization_token": Nullable(TEXT),
        "tool_configuration": Nullable(
            Object(optional={"enabled": Nullable(Boolean()), "allowed_tools": Nullable(ListOf(TEXT))})
        ),
    },
)
_MCP_TOOL_CONFIG = Object(optional={"defer_loading": Boolean(), "enabled": Boolean()})
MCP_TOOLSET = tagged(
    "mcp_toolset",
    {"mcp_server_name": TEXT},
    {
        **CACHED,
        "configs": Nullable(Dictionary(_MCP_TOOL_CONFIG)),
        "default_config": _MCP_TOOL_CONFIG,
        "tools": Nullable(
            ListOf(Object({"name": TEXT, "input_schema": Dictionary()}, {"description": Nullable(TEXT)}))
        ),
    },
)

_INPUT_TOKENS = tagged("input_tokens", {"value": integer(0)})
_TOOL_USES = tagged("tool_uses", {"value": integer(0)})
CONTEXT_EDIT = TaggedUnion(
    {
        "clear_tool_uses_20250919": tagged(
            "clear_tool_uses_20250919",
            {},
            {
                "clear_at_least": Nullable(_INPUT_TOKENS),
                "clear_tool_inputs": Nullable(_ToolInputs()),
                "exclude_tools": Nullable(ListOf(TEXT)),
                "keep": _TOOL_USES,
                "trigger": TaggedUnion({"input_tokens": _INPUT_TOKENS, "tool_uses": _TOOL_USES}),
            },
        ),
        "clear_thinking_20251015": tagged(
            "clear_thinking_20251015",
            {},
            {
                "keep": TextOr(
                    TaggedUnion(
                        {"thinking_turns": tagged("thinking_turns", {"value": integer(1)}), "all": tagged("all", {})}
                    ),
                    Text(pattern="^all$"),
                )
            },
        ),
        "compact_20260112": tagged(
            "compact_20260112",
            {},
            {
                "instructions": Nullable(TEXT),
                "pause_after_compaction": Boolean(),
                "trigger": Nullable(_INPUT_TOKENS),
            },
        ),
    },
    betas={
        "clear_tool_uses_20250919": ("context-management-2025-06-27",),
        "clear_thinking_20251015": ("context-management-2025-06-27",),
        "compact_20260112": ("compact-2026-01-12",),
    },
)
SKILL = Object({"type": OneOf(("anthropic", "custom")), "skill_id": TEXT}, {"version": TEXT})
