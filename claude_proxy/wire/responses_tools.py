"""Tools and tool choice of the Responses API as clients send them: strict, with every field of the SDK's types.

Shapes follow `openai.types.responses` of the SDK 3.54. Tools are decoded one by one, by `TOOLS`.
"""

from collections.abc import Mapping

import msgspec
from msgspec import Raw, Struct

from claude_proxy.wire.decoding import NULL


class _Known(Struct, forbid_unknown_fields=True):
    """An object whose unknown fields are refused here and named by the one who decodes it."""


class _Tool(_Known, kw_only=True):
    type: str | None = None


class TextFormat(_Known):
    """The form of a text: `text.format` of a request, and of an update among its items."""

    type: str
    name: str | None = None
    description: str | None = None
    schema: Raw = NULL
    strict: bool | None = None


class FunctionTool(_Tool):
    name: str
    description: str | None = None
    parameters: Raw = NULL
    strict: bool | None = None
    allowed_callers: list[str] | None = None
    defer_loading: bool | None = None
    output_schema: Raw = NULL
    run_async: bool | None = msgspec.field(default=None, name="async")
    # Anthropic's own fields of a tool, which travel as they are
    eager_input_streaming: Raw = NULL
    input_examples: Raw = NULL


class ToolFormat(_Known):
    type: str = "text"
    syntax: str | None = None
    definition: str | None = None


class CustomTool(_Tool):
    name: str
    description: str | None = None
    format: ToolFormat | None = None
    allowed_callers: list[str] | None = None
    defer_loading: bool | None = None
    run_async: bool | None = msgspec.field(default=None, name="async")


class NamespaceTool(_Tool):
    name: str
    tools: list[Raw]
    description: str | None = None


class SearchFilters(_Known):
    allowed_domains: list[str] | None = None
    blocked_domains: list[str] | None = None


class UserLocation(_Known):
    type: str | None = None
    city: str | None = None
    country: str | None = None
    region: str | None = None
    timezone: str | None = None


class WebSearchTool(_Tool):
    filters: SearchFilters | None = None
    search_context_size: str | None = None
    user_location: UserLocation | None = None
    external_web_access: bool | None = None
    search_content_types: list[str] | None = None


class McpToolNames(_Known):
    tool_names: list[str] | None = None
    read_only: bool | None = None


class McpTool(_Tool):
    server_label: str
    server_url: str | None = None
    allowed_tools: list[str] | McpToolNames | None = None
    authorization: str | None = None
    headers: Raw = NULL
    require_approval: Raw = NULL
    connector_id: str | None = None
    tunnel_id: str | None = None
    server_description: str | None = None
    allowed_callers: list[str] | None = None
    defer_loading: bool | None = None


class ShellEnvironment(Struct):
    """Where a shell runs. Only a local one is the client's; the fields of the others have no meaning here."""

    type: str = "local"
    skills: Raw = NULL


class ShellTool(_Tool):
    """`local_shell`, `shell` and `apply_patch`."""

    environment: ShellEnvironment | None = None
    allowed_callers: list[str] | None = None


Tool = FunctionTool | CustomTool | NamespaceTool | WebSearchTool | McpTool | ShellTool

TOOLS: Mapping[str, type[Tool]] = {
    "function": FunctionTool,
    "custom": CustomTool,
    "namespace": NamespaceTool,
    "web_search": WebSearchTool,
    "web_search_2025_08_26": WebSearchTool,
    "web_search_preview": WebSearchTool,
    "web_search_preview_2025_03_11": WebSearchTool,
    "mcp": McpTool,
    "local_shell": ShellTool,
    "shell": ShellTool,
    "apply_patch": ShellTool,
}
UNSUPPORTED_TOOLS = frozenset(
    {
        *("file_search", "code_interpreter", "image_generation", "computer", "computer_use", "computer_use_preview"),
        *("tool_search", "programmatic_tool_calling"),
    }
)


class ChosenTool(_Known):
    type: str
    name: str | None = None
    namespace: str | None = None
    server_label: str | None = None


class ToolChoice(_Known):
    type: str
    name: str | None = None
    namespace: str | None = None
    server_label: str | None = None
    mode: str | None = None  # of allowed_tools
    tools: list[ChosenTool] | None = None
