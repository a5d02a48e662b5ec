"""Validators of content blocks, one row per type."""

from collections.abc import Mapping

from claude_proxy.simulator.validators import (
    Anything,
    Boolean,
    Dictionary,
    ListOf,
    Nullable,
    Object,
    OneOf,
    TaggedUnion,
    Text,
    TextOr,
    Validator,
    integer,
)

ID = Text(pattern="^[a-zA-Z0-9_-]+$")
TEXT = Text()
IMAGE_TYPES = ("image/jpeg", "image/png", "image/gif", "image/webp")
SERVER_TOOLS = (
    "web_search",
    "web_fetch",
    "code_execution",
    "bash_code_execution",
    "text_editor_code_execution",
    "tool_search_tool_regex",
    "tool_search_tool_bm25",
)


def literal(name: str) -> OneOf:
    """Accepts exactly the string `name`."""
    return OneOf((name,))


def tagged(name: str, required: Mapping[str, Validator], optional: Mapping[str, Validator] | None = None) -> Object:
    return Object({"type": literal(name), **required}, optional or {})


CACHE_CONTROL = Nullable(
    TaggedUnion({"ephemeral": tagged("ephemeral", {}, {"ttl": OneOf(("5m", "1h"))})}),
)
CACHED: Mapping[str, Validator] = {"cache_control": CACHE_CONTROL}

_CITED: dict[str, Validator] = {"cited_text": TEXT}
_IN_DOCUMENT: dict[str, Validator] = _CITED | {"document_index": integer(0), "document_title": Nullable(TEXT)}
CITATION = TaggedUnion(
    {
        "char_location": tagged(
            "char_location", _IN_DOCUMENT | {"start_char_index": integer(0), "end_char_index": integer(0)}
        ),
        "page_location": tagged(
            "page_location", _IN_DOCUMENT | {"start_page_number": integer(1), "end_page_number": integer(1)}
        ),
        "content_block_location": tagged(
            "content_block_location", _IN_DOCUMENT | {"start_block_index": integer(0), "end_block_index": integer(0)}
        ),
        "web_search_result_location": tagged(
            "web_search_result_location",
            _CITED | {"url": TEXT, "title": Nullable(TEXT), "encrypted_index": TEXT},
        ),
        "search_result_location": tagged(
            "search_result_location",
            _CITED
            | {
                "source": TEXT,
                "title": Nullable(TEXT),
                "search_result_index": integer(0),
                "start_block_index": integer(0),
                "end_block_index": integer(0),
            },
        ),
    }
)

TEXT_BLOCK = tagged("text", {"text": TEXT}, {**CACHED, "citations": Nullable(ListOf(CITATION))})
_URL = tagged("url", {"url": TEXT})
_FILE = tagged("file", {"file_id": TEXT})
IMAGE_BLOCK = tagged(
    "image",
    {
        "source": TaggedUnion(
            {
                "base64": tagged("base64", {"media_type": OneOf(IMAGE_TYPES), "data": TEXT}),
                "url": _URL,
                "file": _FILE,
            }
        )
    },
    {**CACHED, "transformations": Nullable(Object(optional={"oversized_image": OneOf(("downsize", "error"))}))},
)
CITATIONS_CONFIG = Object(optional={"enabled": Boolean()})
DOCUMENT_BLOCK = tagged(
    "document",
    {
        "source": TaggedUnion(
            {
                "base64": tagged("base64", {"media_type": literal("application/pdf"), "data": TEXT}),
                "text": tagged("text", {"media_type": literal("text/plain"), "data": TEXT}),
                "content": tagged(
                    "content", {"content": TextOr(ListOf(TaggedUnion({"text": TEXT_BLOCK, "image": IMAGE_BLOCK})))}
                ),
                "url": _URL,
                "file": _FILE,
            }
        )
    },
    {**CACHED, "title": Nullable(TEXT), "context": Nullable(TEXT), "citations": Nullable(CITATIONS_CONFIG)},
)
SEARCH_RESULT_BLOCK = tagged(
    "search_result",
    {"source": TEXT, "title": TEXT, "content": ListOf(TaggedUnion({"text": TEXT_BLOCK}))},
    {**CACHED, "citations": CITATIONS_CONFIG},
)

CALLER = TaggedUnion(
    {
        "direct": tagged("direct", {}),
        "code_execution_20250825": tagged("code_execution_20250825", {"tool_id": ID}),
        "code_execution_20260120": tagged("code_execution_20260120", {"tool_id": ID}),
    }
)
TOOL_USE_BLOCK = tagged(
    "tool_use",
    {"id": ID, "name": Text(shortest=1, longest=200), "input": Dictionary()},
    {**CACHED, "caller": CALLER, "toolset_name": Nullable(TEXT)},
)
TOOL_RESULT_BLOCK = tagged(
    "tool_result",
    {"tool_use_id": ID},
    {
        **CACHED,
        "content": TextOr(
            ListOf(
                TaggedUnion(
                    {
                        "text": TEXT_BLOCK,
                        "image": IMAGE_BLOCK,
                        "document": DOCUMENT_BLOCK,
                        "search_result": SEARCH_RESULT_BLOCK,
                        "tool_reference": tagged("tool_reference", {"tool_name": TEXT}, CACHED),
                        "browser_state": tagged(
                            "browser_state",
                            {"tabs": ListOf(Dictionary())},
                            {**CACHED, "state_changes": Nullable(ListOf(Dictionary()))},
                        ),
                    }
                )
            )
        ),
        "is_error": Boolean(),
        "toolset_name": Nullable(TEXT),
    },
)


def _server_result(name: str, content: Validator, **extra: Validator) -> Object:
    return tagged(name, {"tool_use_id": ID, "content": content}, {**CACHED, **extra})


# Results of server tools are returned unchanged by clients; only the outer object is checked.
_CARRIED = Dictionary()
_FOUND = tagged(
    "web_search_result", {"url": TEXT, "title": TEXT, "encrypted_content": TEXT}, {"page_age": Nullable(TEXT)}
)


class _SearchContent:
    """A list of results, or one error object."""

    _found = ListOf(TaggedUnion({"web_search_result": _FOUND}, hide_tag=True))

    def check(self, value: object, param: str, betas: frozenset[str]) -> None:
        (_CARRIED if isinstance(value, dict) else self._found).check(value, param, betas)


BLOCKS: Mapping[str, Validator] = {
    "text": TEXT_BLOCK,
    "image": IMAGE_BLOCK,
    "document": DOCUMENT_BLOCK,
    "search_result": SEARCH_RESULT_BLOCK,
    "thinking": tagged("thinking", {"signature": TEXT, "thinking": TEXT}),
    "redacted_thinking": tagged("redacted_thinking", {"data": TEXT}),
    "tool_use": TOOL_USE_BLOCK,
    "tool_result": TOOL_RESULT_BLOCK,
    "server_tool_use": tagged(
        "server_tool_use",
        {"id": ID, "name": OneOf(SERVER_TOOLS), "input": Dictionary()},
        {**CACHED, "caller": CALLER},
    ),
    "web_search_tool_result": _server_result("web_search_tool_result", _SearchContent(), caller=CALLER),
    "web_fetch_tool_result": _server_result("web_fetch_tool_result", _CARRIED, caller=CALLER),
    "code_execution_tool_result": _server_result("code_execution_tool_result", _CARRIED),
    "bash_code_execution_tool_result": _server_result("bash_code_execution_tool_result", _CARRIED),
    "text_editor_code_execution_tool_result": _server_result("text_editor_code_execution_tool_result", _CARRIED),
    "tool_search_tool_result": _server_result("tool_search_tool_result", _CARRIED),
    "container_upload": tagged("container_upload", {"file_id": TEXT}, CACHED),
    # betas
    "advisor_tool_result": _server_result("advisor_tool_result", _CARRIED),
    "mcp_tool_use": tagged(
        "mcp_tool_use", {"id": ID, "name": TEXT, "server_name": TEXT, "input": Dictionary()}, CACHED
    ),
    "mcp_tool_result": tagged(
        "mcp_tool_result",
        {"tool_use_id": ID},
        {**CACHED, "content": TextOr(ListOf(TaggedUnion({"text": TEXT_BLOCK}))), "is_error": Boolean()},
    ),
    "mcp_tool_listing": Dictionary(),
    "compaction": tagged(
        "compaction",
        {},
        {
            **CACHED,
            "content": Nullable(TEXT),
            "encrypted_content": Nullable(TEXT),
            "signature": Nullable(TEXT),
            "tool_changes": Nullable(ListOf(Dictionary())),
        },
    ),
    "fallback": tagged("fallback", {"from": Dictionary(), "to": Dictionary()}, {"trigger": Anything()}),
}
_MCP = ("mcp-client-2025-04-04", "mcp-client-2025-11-20", "mcp-client-2026-09-15")
BLOCK = TaggedUnion(
    BLOCKS,
    betas={
        "advisor_tool_result": ("advisor-tool-2026-03-01",),
        "mcp_tool_use": _MCP,
        "mcp_tool_result": _MCP,
        "mcp_tool_listing": ("mcp-client-2026-09-15",),
        "compaction": ("compact-2026-01-12", "compact-2026-09-04"),
        "fallback": ("server-side-fallback-2026-06-01", "server-side-fallback-2026-07-01"),
    },
)
CONTENT = TextOr(ListOf(BLOCK))
