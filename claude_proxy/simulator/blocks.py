"""The shapes of content blocks, one row per type: what a message may be made of."""

from collections.abc import Mapping

from claude_proxy.simulator.shape import (
    Anything,
    Boolean,
    Dictionary,
    Either,
    ListOf,
    Null,
    Object,
    OneOf,
    Shape,
    Tagged,
    Text,
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


def kind(name: str) -> OneOf:
    """The `type` field of an object that has just this type."""
    return OneOf((name,))


def block(name: str, required: Mapping[str, Shape], optional: Mapping[str, Shape] | None = None) -> Object:
    return Object({"type": kind(name), **required}, optional or {})


CACHE_CONTROL = Null(
    Tagged({"ephemeral": block("ephemeral", {}, {"ttl": OneOf(("5m", "1h"))})}),
)
CACHED: Mapping[str, Shape] = {"cache_control": CACHE_CONTROL}

_CITED: dict[str, Shape] = {"cited_text": TEXT}
_IN_DOCUMENT: dict[str, Shape] = _CITED | {"document_index": integer(0), "document_title": Null(TEXT)}
CITATION = Tagged(
    {
        "char_location": block(
            "char_location", _IN_DOCUMENT | {"start_char_index": integer(0), "end_char_index": integer(0)}
        ),
        "page_location": block(
            "page_location", _IN_DOCUMENT | {"start_page_number": integer(1), "end_page_number": integer(1)}
        ),
        "content_block_location": block(
            "content_block_location", _IN_DOCUMENT | {"start_block_index": integer(0), "end_block_index": integer(0)}
        ),
        "web_search_result_location": block(
            "web_search_result_location",
            _CITED | {"url": TEXT, "title": Null(TEXT), "encrypted_index": TEXT},
        ),
        "search_result_location": block(
            "search_result_location",
            _CITED
            | {
                "source": TEXT,
                "title": Null(TEXT),
                "search_result_index": integer(0),
                "start_block_index": integer(0),
                "end_block_index": integer(0),
            },
        ),
    }
)

TEXT_BLOCK = block("text", {"text": TEXT}, {**CACHED, "citations": Null(ListOf(CITATION))})
_URL = block("url", {"url": TEXT})
_FILE = block("file", {"file_id": TEXT})
IMAGE_BLOCK = block(
    "image",
    {
        "source": Tagged(
            {
                "base64": block("base64", {"media_type": OneOf(IMAGE_TYPES), "data": TEXT}),
                "url": _URL,
                "file": _FILE,
            }
        )
    },
    {**CACHED, "transformations": Null(Object(optional={"oversized_image": OneOf(("downsize", "error"))}))},
)
CITATIONS_CONFIG = Object(optional={"enabled": Boolean()})
DOCUMENT_BLOCK = block(
    "document",
    {
        "source": Tagged(
            {
                "base64": block("base64", {"media_type": kind("application/pdf"), "data": TEXT}),
                "text": block("text", {"media_type": kind("text/plain"), "data": TEXT}),
                "content": block(
                    "content", {"content": Either(ListOf(Tagged({"text": TEXT_BLOCK, "image": IMAGE_BLOCK})))}
                ),
                "url": _URL,
                "file": _FILE,
            }
        )
    },
    {**CACHED, "title": Null(TEXT), "context": Null(TEXT), "citations": Null(CITATIONS_CONFIG)},
)
SEARCH_RESULT_BLOCK = block(
    "search_result",
    {"source": TEXT, "title": TEXT, "content": ListOf(Tagged({"text": TEXT_BLOCK}))},
    {**CACHED, "citations": CITATIONS_CONFIG},
)

CALLER = Tagged(
    {
        "direct": block("direct", {}),
        "code_execution_20250825": block("code_execution_20250825", {"tool_id": ID}),
        "code_execution_20260120": block("code_execution_20260120", {"tool_id": ID}),
    }
)
TOOL_USE_BLOCK = block(
    "tool_use",
    {"id": ID, "name": Text(shortest=1, longest=200), "input": Dictionary()},
    {**CACHED, "caller": CALLER, "toolset_name": Null(TEXT)},
)
TOOL_RESULT_BLOCK = block(
    "tool_result",
    {"tool_use_id": ID},
    {
        **CACHED,
        "content": Either(
            ListOf(
                Tagged(
                    {
                        "text": TEXT_BLOCK,
                        "image": IMAGE_BLOCK,
                        "document": DOCUMENT_BLOCK,
                        "search_result": SEARCH_RESULT_BLOCK,
                        "tool_reference": block("tool_reference", {"tool_name": TEXT}, CACHED),
                        "browser_state": block(
                            "browser_state",
                            {"tabs": ListOf(Dictionary())},
                            {**CACHED, "state_changes": Null(ListOf(Dictionary()))},
                        ),
                    }
                )
            )
        ),
        "is_error": Boolean(),
        "toolset_name": Null(TEXT),
    },
)


def _server_result(name: str, content: Shape, **extra: Shape) -> Object:
    return block(name, {"tool_use_id": ID, "content": content}, {**CACHED, **extra})


# What server tools found travels back as it came; only its outer shape is looked at.
_CARRIED = Dictionary()
_FOUND = block("web_search_result", {"url": TEXT, "title": TEXT, "encrypted_content": TEXT}, {"page_age": Null(TEXT)})


class _SearchContent:
    """Results, or the one error that came instead of them."""

    _found = ListOf(Tagged({"web_search_result": _FOUND}, silent=True))

    def check(self, value: object, at: str, betas: frozenset[str]) -> None:
        (_CARRIED if isinstance(value, dict) else self._found).check(value, at, betas)


BLOCKS: Mapping[str, Shape] = {
    "text": TEXT_BLOCK,
    "image": IMAGE_BLOCK,
    "document": DOCUMENT_BLOCK,
    "search_result": SEARCH_RESULT_BLOCK,
    "thinking": block("thinking", {"signature": TEXT, "thinking": TEXT}),
    "redacted_thinking": block("redacted_thinking", {"data": TEXT}),
    "tool_use": TOOL_USE_BLOCK,
    "tool_result": TOOL_RESULT_BLOCK,
    "server_tool_use": block(
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
    "container_upload": block("container_upload", {"file_id": TEXT}, CACHED),
    # betas
    "advisor_tool_result": _server_result("advisor_tool_result", _CARRIED),
    "mcp_tool_use": block("mcp_tool_use", {"id": ID, "name": TEXT, "server_name": TEXT, "input": Dictionary()}, CACHED),
    "mcp_tool_result": block(
        "mcp_tool_result",
        {"tool_use_id": ID},
        {**CACHED, "content": Either(ListOf(Tagged({"text": TEXT_BLOCK}))), "is_error": Boolean()},
    ),
    "mcp_tool_listing": Dictionary(),
    "compaction": block(
        "compaction",
        {},
        {
            **CACHED,
            "content": Null(TEXT),
            "encrypted_content": Null(TEXT),
            "signature": Null(TEXT),
            "tool_changes": Null(ListOf(Dictionary())),
        },
    ),
    "fallback": block("fallback", {"from": Dictionary(), "to": Dictionary()}, {"trigger": Anything()}),
}
_MCP = ("mcp-client-2025-04-04", "mcp-client-2025-11-20", "mcp-client-2026-09-15")
BLOCK = Tagged(
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
CONTENT = Either(ListOf(BLOCK))
