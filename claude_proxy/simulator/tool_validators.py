"""Validators of tools, one row per type: custom tools, and Anthropic's own with fixed names."""

from collections.abc import Mapping

from claude_proxy.simulator.beta_validators import MCP_TOOLSET
from claude_proxy.simulator.block_validators import CACHED, CITATIONS_CONFIG, TEXT, literal, tagged
from claude_proxy.simulator.validators import (
    Boolean,
    Dictionary,
    ListOf,
    Nullable,
    Object,
    OneOf,
    TaggedUnion,
    Text,
    Validator,
    integer,
)

_CALLERS = ListOf(OneOf(("direct", "code_execution_20250825", "code_execution_20260120", "code_execution_20260521")))
_COMMON: Mapping[str, Validator] = {
    **CACHED,
    "allowed_callers": _CALLERS,
    "defer_loading": Boolean(),
    "strict": Boolean(),
}
_CLIENT: Mapping[str, Validator] = {**_COMMON, "input_examples": ListOf(Dictionary())}

CUSTOM = Object(
    {"name": Text(pattern="^[a-zA-Z0-9_-]{1,128}$"), "input_schema": Dictionary()},
    {
        **_CLIENT,
        "type": Nullable(literal("custom")),
        "description": TEXT,
        "eager_input_streaming": Nullable(Boolean()),
    },
)

_DOMAINS = Nullable(ListOf(TEXT))
_USES = Nullable(integer(1))
_SEARCH: Mapping[str, Validator] = {
    **_COMMON,
    "allowed_domains": _DOMAINS,
    "blocked_domains": _DOMAINS,
    "max_uses": _USES,
    "user_location": Nullable(
        tagged("approximate", {}, dict.fromkeys(("city", "country", "region", "timezone"), Nullable(TEXT)))
    ),
}
_FETCH: Mapping[str, Validator] = {
    **_COMMON,
    "allowed_domains": _DOMAINS,
    "blocked_domains": _DOMAINS,
    "max_uses": _USES,
    "citations": Nullable(CITATIONS_CONFIG),
    "max_content_tokens": Nullable(integer(1)),
    "url_sources": Nullable(Dictionary()),
}
_INCLUSION: Mapping[str, Validator] = {"response_inclusion": OneOf(("full", "excluded"))}
_SCREEN: Mapping[str, Validator] = {
    "display_height_px": integer(1),
    "display_width_px": integer(1),
}
_COMPUTER: Mapping[str, Validator] = {**_CLIENT, "display_number": Nullable(integer(0))}
_TOOLSET: Mapping[str, Validator] = {**CACHED, "configs": Nullable(Dictionary())}


def _tool(
    type_: str, name: str, optional: Mapping[str, Validator], required: Mapping[str, Validator] | None = None
) -> Object:
    """A tool with a fixed name."""
    return Object({"type": literal(type_), "name": literal(name), **(required or {})}, optional)


TOOLS: Mapping[str, Validator] = {
    "custom": CUSTOM,
    "bash_20250124": _tool("bash_20250124", "bash", _CLIENT),
    "memory_20250818": _tool("memory_20250818", "memory", _CLIENT),
    "text_editor_20250124": _tool("text_editor_20250124", "str_replace_editor", _CLIENT),
    "text_editor_20250429": _tool("text_editor_20250429", "str_replace_based_edit_tool", _CLIENT),
    "text_editor_20250728": _tool(
        "text_editor_20250728", "str_replace_based_edit_tool", {**_CLIENT, "max_characters": Nullable(integer(1))}
    ),
    **{
        name: _tool(name, "code_execution", _COMMON)
        for name in (
            "code_execution_20250522",
            "code_execution_20250825",
            "code_execution_20260120",
            "code_execution_20260521",
        )
    },
    **{
        name: _tool(name, f"tool_search_tool_{way}", _COMMON)
        for way in ("bm25", "regex")
        for name in (f"tool_search_tool_{way}_20251119", f"tool_search_tool_{way}")
    },
    "web_search_20250305": _tool("web_search_20250305", "web_search", _SEARCH),
    "web_search_20260209": _tool("web_search_20260209", "web_search", _SEARCH),
    "web_search_20260318": _tool("web_search_20260318", "web_search", {**_SEARCH, **_INCLUSION}),
    "web_fetch_20250910": _tool("web_fetch_20250910", "web_fetch", _FETCH),
    "web_fetch_20260209": _tool("web_fetch_20260209", "web_fetch", _FETCH),
    "web_fetch_20260309": _tool("web_fetch_20260309", "web_fetch", {**_FETCH, "use_cache": Boolean()}),
    "web_fetch_20260318": _tool("web_fetch_20260318", "web_fetch", {**_FETCH, **_INCLUSION, "use_cache": Boolean()}),
    "browser_toolset_20260801": tagged("browser_toolset_20260801", {}, _TOOLSET),
    "computer_toolset_20260801": tagged("computer_toolset_20260801", {}, _TOOLSET),
    # betas
    "bash_20241022": _tool("bash_20241022", "bash", _CLIENT),
    "text_editor_20241022": _tool("text_editor_20241022", "str_replace_editor", _CLIENT),
    "computer_20241022": _tool("computer_20241022", "computer", _COMPUTER, _SCREEN),
    "computer_20250124": _tool("computer_20250124", "computer", _COMPUTER, _SCREEN),
    "computer_20251124": _tool("computer_20251124", "computer", {**_COMPUTER, "enable_zoom": Boolean()}, _SCREEN),
    "advisor_20260301": _tool(
        "advisor_20260301",
        "advisor",
        {**_COMMON, "caching": Nullable(Dictionary()), "max_tokens": Nullable(integer(1)), "max_uses": _USES},
        {"model": TEXT},
    ),
    "mcp_toolset": MCP_TOOLSET,
}
TOOL = TaggedUnion(
    TOOLS,
    default="custom",
    betas={
        "bash_20241022": ("computer-use-2024-10-22",),
        "text_editor_20241022": ("computer-use-2024-10-22",),
        "computer_20241022": ("computer-use-2024-10-22",),
        "computer_20250124": ("computer-use-2025-01-24",),
        "computer_20251124": ("computer-use-2025-11-24",),
        "advisor_20260301": ("advisor-tool-2026-03-01",),
        "mcp_toolset": ("mcp-client-2025-11-20", "mcp-client-2026-09-15"),
    },
)
_PARALLEL: Mapping[str, Validator] = {"disable_parallel_tool_use": Boolean()}
TOOL_CHOICE = TaggedUnion(
    {
        "auto": tagged("auto", {}, _PARALLEL),
        "any": tagged("any", {}, _PARALLEL),
        "tool": tagged("tool", {"name": TEXT}, _PARALLEL),
        "none": tagged("none", {}),
    }
)
