"""OpenAI's Responses requests as clients send them: strict, with the path of an error.

Shapes follow `openai.types.responses` of the SDK 3.54. `null` equals absence everywhere. Input items and tools have
many types, some without a tag: they stay `msgspec.Raw` here and are decoded one by one (`INPUT_ITEMS`, `TOOLS`).
"""

from collections.abc import Mapping

import msgspec
from msgspec import Raw, Struct

from claude_proxy.wire.decoding import NULL, check_utf8, decode, repaired

# --------------------------------------------------------------------------------------------------- content parts


class CacheBreakpoint(Struct):
    mode: str | None = None
    ttl: str | None = None


class InputText(Struct, tag="input_text", tag_field="type"):
    text: str
    prompt_cache_breakpoint: CacheBreakpoint | None = None


class OutputText(Struct, tag="output_text", tag_field="type"):
    text: str


class PlainText(Struct, tag="text", tag_field="type"):
    """Not OpenAI's, but sent by clients that keep chat's parts."""

    text: str


class Refusal(Struct, tag="refusal", tag_field="type"):
    refusal: str


class InputImage(Struct, tag="input_image", tag_field="type"):
    image_url: str | None = None
    file_id: str | None = None
    detail: str | None = None
    prompt_cache_breakpoint: CacheBreakpoint | None = None


class InputFile(Struct, tag="input_file", tag_field="type"):
    file_data: str | None = None
    file_url: str | None = None
    file_id: str | None = None
    filename: str | None = None
    prompt_cache_breakpoint: CacheBreakpoint | None = None


class InputAudio(Struct, tag="input_audio", tag_field="type"):
    input_audio: Raw = NULL


Part = InputText | OutputText | PlainText | Refusal | InputImage | InputFile | InputAudio
Content = str | list[Part] | None

# ----------------------------------------------------------------------------------------------------- input items


class MessageItem(Struct):
    role: str
    content: Content = None


class FunctionCall(Struct):
    call_id: str
    name: str
    arguments: str | None = None
    namespace: str | None = None


class CustomToolCall(Struct):
    call_id: str
    name: str
    input: str | None = None
    namespace: str | None = None


class CallOutput(Struct):
    """The output of a function or of a custom tool."""

    call_id: str
    output: Content = None


class ReasoningText(Struct):
    text: str = ""


class ReasoningItem(Struct):
    encrypted_content: str | None = None


class LocalShellCall(Struct):
    call_id: str
    action: Raw = NULL
    id: str | None = None


class LocalShellCallOutput(Struct):
    output: str
    id: str | None = None
    call_id: str | None = None


class ShellCall(Struct):
    call_id: str
    action: Raw = NULL


class ShellCallOutput(Struct):
    call_id: str
    output: Raw = NULL


class ApplyPatchCall(Struct):
    call_id: str
    operation: Raw = NULL


class ApplyPatchCallOutput(Struct):
    call_id: str
    status: str = "completed"
    output: str | None = None


class ItemReference(Struct):
    id: str


class AdditionalTools(Struct):
    tools: list[Raw]


class Compaction(Struct):
    encrypted_content: str


class IgnoredItem(Struct):
    """An item of which nothing is sent."""


InputItem = (
    MessageItem
    | FunctionCall
    | CustomToolCall
    | CallOutput
    | ReasoningItem
    | LocalShellCall
    | LocalShellCallOutput
    | ShellCall
    | ShellCallOutput
    | ApplyPatchCall
    | ApplyPatchCallOutput
    | ItemReference
    | AdditionalTools
    | Compaction
    | IgnoredItem
)

INPUT_ITEMS: Mapping[str, type[InputItem]] = {
    "message": MessageItem,
    "function_call": FunctionCall,
    "custom_tool_call": CustomToolCall,
    "function_call_output": CallOutput,
    "custom_tool_call_output": CallOutput,
    "reasoning": ReasoningItem,
    "local_shell_call": LocalShellCall,
    "local_shell_call_output": LocalShellCallOutput,
    "shell_call": ShellCall,
    "shell_call_output": ShellCallOutput,
    "apply_patch_call": ApplyPatchCall,
    "apply_patch_call_output": ApplyPatchCallOutput,
    "item_reference": ItemReference,
    "additional_tools": AdditionalTools,
    "compaction": Compaction,
}
# Items of the history that Claude has no counterpart for: calls of tools that OpenAI ran, and their results.
IGNORED_ITEMS = frozenset(
    {
        *("web_search_call", "file_search_call", "code_interpreter_call", "image_generation_call"),
        *("computer_call", "computer_call_output", "mcp_list_tools", "mcp_call", "mcp_approval_request"),
        *("mcp_approval_response", "tool_search_call", "tool_search_output", "program", "program_output"),
        *("configuration_update", "compaction_trigger"),
    }
)

# ----------------------------------------------------------------------------------------------------------- tools


class FunctionTool(Struct):
    name: str
    description: str | None = None
    parameters: Raw = NULL
    strict: bool | None = None
    # Anthropic's own fields of a tool, which travel as they are
    allowed_callers: Raw = NULL
    defer_loading: Raw = NULL
    eager_input_streaming: Raw = NULL
    input_examples: Raw = NULL


class ToolFormat(Struct):
    type: str = "text"
    syntax: str | None = None
    definition: str | None = None


class CustomTool(Struct):
    name: str
    description: str | None = None
    format: ToolFormat | None = None


class NamespaceTool(Struct):
    name: str
    tools: list[Raw]
    description: str | None = None


class SearchFilters(Struct):
    allowed_domains: list[str] | None = None
    blocked_domains: list[str] | None = None


class UserLocation(Struct):
    type: str | None = None
    city: str | None = None
    country: str | None = None
    region: str | None = None
    timezone: str | None = None


class WebSearchTool(Struct):
    filters: SearchFilters | None = None
    search_context_size: str | None = None
    user_location: UserLocation | None = None
    external_web_access: bool | None = None


class McpTool(Struct):
    server_label: str
    server_url: str | None = None
    allowed_tools: Raw = NULL
    authorization: str | None = None
    headers: Raw = NULL
    require_approval: Raw = NULL
    connector_id: str | None = None


class ShellTool(Struct):
    """`local_shell`, `shell` and `apply_patch` have no fields that matter here."""


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
        *("file_search", "code_interpreter", "image_generation", "computer", "computer_use_preview"),
        *("tool_search", "programmatic_tool_calling"),
    }
)


class ChosenTool(Struct):
    type: str
    name: str | None = None
    namespace: str | None = None
    server_label: str | None = None


class ToolChoice(Struct):
    type: str
    name: str | None = None
    namespace: str | None = None
    mode: str | None = None  # of allowed_tools
    tools: list[ChosenTool] | None = None


# ----------------------------------------------------------------------------------------------------- the request


class Reasoning(Struct):
    effort: str | None = None
    summary: str | None = None
    generate_summary: str | None = None
    context: str | None = None
    mode: str | None = None


class TextFormat(Struct):
    type: str
    name: str | None = None
    description: str | None = None
    schema: Raw = NULL
    strict: bool | None = None


class TextConfig(Struct):
    format: TextFormat | None = None
    verbosity: str | None = None


class CacheOptions(Struct):
    mode: str | None = None
    ttl: str | None = None


class StreamOptions(Struct):
    include_obfuscation: bool | None = None


class ConversationReference(Struct):
    id: str


class ResponsesRequest(Struct):
    """The body of POST responses: every field of the SDK's create params, then the extensions."""

    model: str
    access_programs: Raw = NULL
    background: bool | None = None
    background_options: Raw = NULL
    context_management: Raw = NULL
    conversation: str | ConversationReference | None = None
    image: Raw = NULL
    include: list[str] | None = None
    input: str | list[Raw] | None = None
    instructions: str | None = None
    max_output_tokens: int | None = None
    max_tool_calls: int | None = None
    metadata: dict[str, str] | None = None
    moderation: Raw = NULL
    parallel_tool_calls: bool | None = None
    previous_response_id: str | None = None
    prompt: Raw = NULL
    prompt_cache_key: str | None = None
    prompt_cache_options: CacheOptions | None = None
    prompt_cache_retention: str | None = None
    reasoning: Reasoning | None = None
    safety_identifier: str | None = None
    service_tier: str | None = None
    store: bool | None = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    temperature: float | None = None
    text: TextConfig | None = None
    tool_choice: str | ToolChoice | None = None
    tools: list[Raw] | None = None
    top_logprobs: int | None = None
    top_p: float | None = None
    truncation: str | None = None
    user: str | None = None
    # extensions
    anthropic: Raw = NULL

    @property
    def conversation_id(self) -> str | None:
        given = self.conversation
        return given.id if isinstance(given, ConversationReference) else given


_read_request = msgspec.json.Decoder(ResponsesRequest).decode
_read_keys = msgspec.json.Decoder(dict[str, Raw]).decode
_FIELDS = frozenset(ResponsesRequest.__struct_fields__)


def read_responses_request(body: bytes) -> tuple[ResponsesRequest, dict[str, Raw]]:
    """The request in `body`, and all its top-level fields as they stand there.

    Raises InvalidRequest whose `param` is the path of the fault.
    """
    if not body.isascii():
        check_utf8(body)
    body = repaired(body)
    fields = decode(_read_keys, body)  # first, because it finds all that is not JSON
    return decode(_read_request, body), fields


def unknown_fields(fields: Mapping[str, Raw]) -> list[str]:
    """The names of fields that no part of this program knows; null is absence."""
    return sorted(name for name, value in fields.items() if name not in _FIELDS and bytes(value) != b"null")
