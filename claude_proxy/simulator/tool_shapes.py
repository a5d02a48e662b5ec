"""The shapes of tools, one row per type: the caller's own, and those whose names and schemas are Anthropic's."""

from collections.abc import Mapping

from claude_proxy.simulator.blocks import CACHED, CITATIONS_CONFIG, TEXT, block, kind
from claude_proxy.simulator.shape import (
    Boolean,
    Dictionary,
    ListOf,
    Null,
    Object,
    OneOf,
    Shape,
    Tagged,
    Text,
    integer,
)

_CALLERS = ListOf(OneOf(("direct", "code_execution_20250825", "code_execution_20260120", "code_execution_20260521")))
_COMMON: Mapping[str, Shape] = {
    **CACHED,
    "allowed_callers": _CALLERS,
    "defer_loading": Boolean(),
    "strict": Boolean(),
}
_CLIENT: Mapping[str, Shape] = {**_COMMON, "input_examples": ListOf(Dictionary())}

CUSTOM = Object(
    {"name": Text(pattern="^[a-zA-Z0-9_-]{1,128}$"), "input_schema": Dictionary()},
    {
        **_CLIENT,
        "type": Null(kind("custom")),
        "description": TEXT,
        "eager_input_streaming": Null(Boolean()),
    },
)

_DOMAINS = Null(ListOf(TEXT))
_USES = Null(integer(1))
_SEARCH: Mapping[str, Shape] = {
    **_COMMON,
    "allowed_domains": _DOMAINS,
    "blocked_domains": _DOMAINS,
    "max_uses": _USES,
    "user_location": Null(
        block("approximate", {}, dict.fromkeys(("city", "country", "region", "timezone"), Null(TEXT)))
    ),
}
_FETCH: Mapping[str, Shape] = {
    **_COMMON,
    "allowed_domains": _DOMAINS,
    "blocked_domains": _DOMAINS,
    "max_uses": _USES,
    "citations": Null(CITATIONS_CONFIG),
    "max_content_tokens": Null(integer(1)),
    "url_sources": Null(Dictionary()),
}
_INCLUSION: Mapping[str, Shape] = {"response_inclusion": OneOf(("full", "excluded"))}
_SCREEN: Mapping[str, Shape] = {
    "display_height_px": integer(1),
    "display_width_px": integer(1),
}
_COMPUTER: Mapping[str, Shape] = {**_CLIENT, "display_number": Null(integer(0))}
_TOOLSET: Mapping[str, Shape] = {**CACHED, "configs": Null(Dictionary())}


def _tool(type_: str, name: str, optional: Mapping[str, Shape], required: Mapping[str, Shape] | None = None) -> Object:
    """A tool whose name is fixed."""
    return Object({"type": kind(type_), "name": kind(name), **(required or {})}, optional)


TOOLS: Mapping[str, Shape] = {
    "custom": CUSTOM,
    "bash_20250124": _tool("bash_20250124", "bash", _CLIENT),
    "memory_20250818": _tool("memory_20250818", "memory", _CLIENT),
    "text_editor_20250124": _tool("text_editor_20250124", "str_replace_editor", _CLIENT),
    "text_editor_20250429": _tool("text_editor_20250429", "str_replace_based_edit_tool", _CLIENT),
    "text_editor_20250728": _tool(
        "text_editor_20250728", "str_replace_based_edit_tool", {**_CLIENT, "max_characters": Null(integer(1))}
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
    "browser_toolset_20260801": block("browser_toolset_20260801", {}, _TOOLSET),
    "computer_toolset_20260801": block("computer_toolset_20260801", {}, _TOOLSET),
    # betas
    "bash_20241022": _tool("bash_20241022", "bash", _CLIENT),
    "text_editor_20241022": _tool("text_editor_20241022", "str_replace_editor", _CLIENT),
    "computer_20241022": _tool("computer_20241022", "computer", _COMPUTER, _SCREEN),
    "computer_20250124": _tool("computer_20250124", "computer", _COMPUTER, _SCREEN),
    "computer_20251124": _tool("computer_20251124", "computer", {**_COMPUTER, "enable_zoom": Boolean()}, _SCREEN),
    "advisor_20260301": _tool(
        "advisor_20260301",
        "advisor",
        {**_COMMON, "caching": Null(Dictionary()), "max_tokens": Null(integer(1)), "max_uses": _USES},
        {"model": TEXT},
    ),
    "mcp_toolset": block(
        "mcp_toolset",
        {"mcp_server_name": TEXT},
        {
            **CACHED,
            "configs": Null(Dictionary(Dictionary())),
            "default_config": Dictionary(),
            "tools": Null(ListOf(Dictionary())),
        },
    ),
}
TOOL = Tagged(
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
_PARALLEL: Mapping[str, Shape] = {"disable_parallel_tool_use": Boolean()}
TOOL_CHOICE = Tagged(
    {
        "auto": block("auto", {}, _PARALLEL),
        "any": block("any", {}, _PARALLEL),
        "tool": block("tool", {"name": TEXT}, _PARALLEL),
        "none": block("none", {}),
    }
)
