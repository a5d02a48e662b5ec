"""The body of a chat completion request: strict types, and errors that name the path of the fault.

The types follow `openai.types.chat` of the SDK 3.54, and the extensions that clients of compatible services send.
`null` equals absence everywhere. Values that are only passed on (schemas, tool arguments) stay `msgspec.Raw`.
"""

from contextlib import suppress

import msgspec
from msgspec import Raw, Struct

from claude_proxy.wire.decoding import NULL, check_nesting, check_utf8, decode, repaired
from claude_proxy.wire.known_fields import prune, prune_top

# ------------------------------------------------------------------------------------------ what clients send


class _Known(Struct, forbid_unknown_fields=True):
    """An object whose unknown fields are refused here and named by `read_chat_request`."""


class CacheBreakpoint(_Known):
    """OpenAI's `prompt_cache_breakpoint` on a content part; also Anthropic's `cache_control`, which LiteLLM sends."""

    mode: str | None = None
    type: str | None = None
    ttl: str | None = None


class TextPart(_Known, tag="text", tag_field="type"):
    text: str
    cache_control: CacheBreakpoint | None = None
    prompt_cache_breakpoint: CacheBreakpoint | None = None


class ImageURL(_Known):
    url: str
    detail: str | None = None


class ImagePart(_Known, tag="image_url", tag_field="type"):
    image_url: ImageURL | str
    cache_control: CacheBreakpoint | None = None
    prompt_cache_breakpoint: CacheBreakpoint | None = None


class AudioPart(_Known, tag="input_audio", tag_field="type"):
    input_audio: Raw = NULL


class FileData(_Known):
    file_data: str | None = None
    file_id: str | None = None
    filename: str | None = None


class FilePart(_Known, tag="file", tag_field="type"):
    file: FileData
    cache_control: CacheBreakpoint | None = None
    prompt_cache_breakpoint: CacheBreakpoint | None = None


class ImageBlockPart(_Known, tag="image", tag_field="type"):
    """An image as Anthropic's block (`source`), or as MCP's content (`data`, `mimeType`)."""

    source: "ImageSource | None" = None
    data: str | None = None
    mime_type: str | None = msgspec.field(default=None, name="mimeType")
    cache_control: CacheBreakpoint | None = None


class ImageSource(_Known):
    """The source of Anthropic's image block."""

    type: str | None = None
    media_type: str | None = None
    data: str | None = None
    url: str | None = None


class ToolResultPart(_Known, tag="tool_result", tag_field="type"):
    """Anthropic's block for a tool's result, in a user message."""

    tool_use_id: str
    content: Raw = NULL
    is_error: bool | None = None
    cache_control: CacheBreakpoint | None = None


class ToolUsePart(_Known, tag="tool_use", tag_field="type"):
    """Anthropic's block for a tool call, in an assistant message."""

    id: str
    name: str
    input: Raw = NULL
    cache_control: CacheBreakpoint | None = None


class RefusalPart(_Known, tag="refusal", tag_field="type"):
    refusal: str


class ThinkingPart(_Known, tag="thinking", tag_field="type"):
    """A block of LiteLLM's `thinking_blocks`, as some clients put it into the content."""

    thinking: str = ""
    signature: str | None = None
    cache_control: Raw = NULL  # upstream accepts no breakpoint on thinking


class RedactedThinkingPart(_Known, tag="redacted_thinking", tag_field="type"):
    data: str = ""
    cache_control: Raw = NULL


SystemContent = str | list[TextPart] | None
UserPart = TextPart | ImagePart | AudioPart | FilePart | RefusalPart | ImageBlockPart | ToolResultPart
AssistantPart = TextPart | RefusalPart | ThinkingPart | RedactedThinkingPart | ToolUsePart
ToolPart = TextPart | ImagePart | FilePart | ImageBlockPart


class FunctionCall(_Known):
    name: str
    arguments: str | None = None
    parsed_arguments: Raw = NULL  # what OpenAI's SDK adds when it parses a reply, and sends back; without effect


class CustomCall(_Known):
    name: str
    input: str | None = None


class ToolCall(_Known):
    """A call in the history; `type` is absent in some clients, then it is the one whose body is there."""

    id: str
    type: str | None = None
    function: FunctionCall | None = None
    custom: CustomCall | None = None
    # what clients send back of a reply's calls; without effect
    index: Raw = NULL
    provider_specific_fields: Raw = NULL


class ReasoningDetail(_Known):
    """One entry of OpenRouter's `reasoning_details`."""

    type: str = ""
    text: str | None = None
    signature: str | None = None
    data: str | None = None
    # without effect
    format: Raw = NULL
    id: Raw = NULL
    index: Raw = NULL
    summary: Raw = NULL


class SystemMessage(_Known, tag="system", tag_field="role"):
    content: SystemContent = None
    name: str | None = None
    cache_control: CacheBreakpoint | None = None


class DeveloperMessage(_Known, tag="developer", tag_field="role"):
    content: SystemContent = None
    name: str | None = None
    cache_control: CacheBreakpoint | None = None


class UserMessage(_Known, tag="user", tag_field="role"):
    content: str | list[UserPart] | None = None
    name: str | None = None
    cache_control: CacheBreakpoint | None = None


class AssistantMessage(_Known, tag="assistant", tag_field="role"):
    content: str | list[AssistantPart] | None = None
    name: str | None = None
    refusal: str | None = None
    tool_calls: list[ToolCall] | None = None
    function_call: FunctionCall | None = None
    audio: Raw = NULL
    reasoning_content: str | None = None
    reasoning_details: list[ReasoningDetail] | None = None
    thinking_blocks: list[ThinkingPart | RedactedThinkingPart] | None = None
    cache_control: CacheBreakpoint | None = None
    # what clients send back of our own and of other services' replies; without effect
    annotations: Raw = NULL
    parsed: Raw = NULL
    provider_specific_fields: Raw = NULL
    reasoning: Raw = NULL


class ToolMessage(_Known, tag="tool", tag_field="role"):
    tool_call_id: str
    content: Raw = NULL  # text, parts, and in the wild any JSON value
    name: str | None = None
    is_error: bool | None = None
    cache_control: CacheBreakpoint | None = None


class FunctionMessage(_Known, tag="function", tag_field="role"):
    name: str
    content: Raw = NULL


ChatMessage = SystemMessage | DeveloperMessage | UserMessage | AssistantMessage | ToolMessage | FunctionMessage


class FunctionDefinition(_Known):
    name: str
    description: str | None = None
    parameters: Raw = NULL
    strict: bool | None = None
    cache_control: CacheBreakpoint | None = None


class GrammarDefinition(_Known):
    definition: str
    syntax: str = ""


class CustomFormat(_Known):
    """The format of a custom tool: OpenAI's chat nests a grammar, its Responses API has it flat."""

    type: str
    grammar: GrammarDefinition | None = None
    definition: str | None = None
    syntax: str | None = None


class CustomDefinition(_Known):
    name: str
    description: str | None = None
    format: CustomFormat | None = None
    cache_control: CacheBreakpoint | None = None


class FunctionTool(_Known):
    function: FunctionDefinition
    type: str = "function"
    strict: bool | None = None
    cache_control: CacheBreakpoint | None = None
    # Anthropic's own fields of a tool, which are sent byte for byte
    allowed_callers: Raw = NULL
    defer_loading: Raw = NULL
    eager_input_streaming: Raw = NULL
    input_examples: Raw = NULL


class FlatFunctionTool(_Known):
    """A function as OpenAI's Responses API (`parameters`) and Anthropic (`input_schema`) write it."""

    name: str
    type: str = "function"
    description: str | None = None
    parameters: Raw = NULL
    input_schema: Raw = NULL
    strict: bool | None = None
    cache_control: CacheBreakpoint | None = None
    allowed_callers: Raw = NULL
    defer_loading: Raw = NULL
    eager_input_streaming: Raw = NULL
    input_examples: Raw = NULL


class CustomTool(_Known):
    custom: CustomDefinition
    type: str = "custom"
    cache_control: CacheBreakpoint | None = None


class FlatCustomTool(_Known):
    """A custom tool as OpenAI's Responses API writes it."""

    name: str
    type: str = "custom"
    description: str | None = None
    format: CustomFormat | None = None
    cache_control: CacheBreakpoint | None = None


class Named(_Known):
    name: str


class AllowedTool(_Known):
    type: str = "function"
    name: str | None = None
    function: Named | None = None
    custom: Named | None = None


class AllowedTools(_Known):
    mode: str
    tools: list[AllowedTool]


class ToolChoiceObject(_Known):
    """A choice in OpenAI's form, or flat with `name`, as Anthropic and the Responses API write it."""

    type: str
    name: str | None = None
    function: Named | None = None
    custom: Named | None = None
    allowed_tools: AllowedTools | None = None


class StreamOptions(_Known):
    include_usage: bool | None = None
    include_obfuscation: bool | None = None


class JSONSchemaFormat(_Known):
    name: str | None = None
    description: str | None = None
    schema: Raw = NULL
    strict: bool | None = None


class ResponseFormat(_Known):
    type: str
    json_schema: JSONSchemaFormat | None = None
    schema: Raw = NULL  # beside `json_object`, as other services accept it


class UserLocationApproximate(_Known, omit_defaults=True):
    city: str | None = None
    country: str | None = None
    region: str | None = None
    timezone: str | None = None


class UserLocation(_Known):
    """A location: nested in `approximate`, or flat, as the Responses API has it."""

    type: str | None = None
    approximate: UserLocationApproximate | None = None
    city: str | None = None
    country: str | None = None
    region: str | None = None
    timezone: str | None = None


class WebSearchFilters(_Known):
    allowed_domains: list[str] | None = None
    blocked_domains: list[str] | None = None


class WebSearchOptions(_Known):
    search_context_size: str | None = None
    user_location: UserLocation | None = None
    filters: WebSearchFilters | None = None


class CacheOptions(_Known):
    mode: str | None = None
    ttl: str | None = None


class Reasoning(_Known):
    """OpenRouter's `reasoning`."""

    effort: str | None = None
    max_tokens: int | None = None
    exclude: bool | None = None
    enabled: bool | None = None


class ThinkingOption(_Known):
    """Anthropic's own `thinking`, which LiteLLM clients send at the top level."""

    type: str
    budget_tokens: int | None = None
    display: str | None = None


class ExtraBody(_Known):
    """A literal `extra_body` object, which raw HTTP users copy from SDK examples."""

    enable_thinking: bool | None = None
    thinking: ThinkingOption | None = None
    reasoning_effort: str | None = None


class ChatRequest(_Known):
    """The body of POST chat/completions: every field of the SDK's create params, then the extensions."""

    model: str
    messages: list[ChatMessage]
    audio: Raw = NULL
    frequency_penalty: float | None = None
    function_call: str | Named | None = None
    functions: list[FunctionDefinition] | None = None
    logit_bias: dict[str, float] | None = None
    logprobs: bool | None = None
    max_completion_tokens: int | None = None
    max_tokens: int | None = None
    metadata: Raw = NULL
    modalities: list[str] | None = None
    moderation: Raw = NULL
    n: int | None = None
    parallel_tool_calls: bool | None = None
    prediction: Raw = NULL
    presence_penalty: float | None = None
    prompt_cache_key: str | None = None
    prompt_cache_options: CacheOptions | None = None
    prompt_cache_retention: str | None = None
    reasoning_effort: str | None = None
    response_format: ResponseFormat | None = None
    safety_identifier: str | None = None
    seed: int | None = None
    service_tier: str | None = None
    stop: str | list[str | None] | None = None
    store: bool | None = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    temperature: float | None = None
    tool_choice: str | ToolChoiceObject | None = None
    tools: list[Raw] | None = None
    top_logprobs: int | None = None
    top_p: float | None = None
    user: str | None = None
    verbosity: str | None = None
    web_search_options: WebSearchOptions | None = None
    # extensions
    anthropic: Raw = NULL
    cache_control: CacheBreakpoint | None = None
    container: Raw = NULL
    context_management: Raw = NULL
    enable_thinking: bool | None = None
    extra_body: ExtraBody | None = None
    inference_geo: Raw = NULL
    mcp_servers: Raw = NULL
    reasoning: Reasoning | None = None
    speed: Raw = NULL
    thinking: ThinkingOption | None = None
    top_k: int | None = None


# ------------------------------------------------------------------------------------------------ reading it


def read_chat_request(body: bytes) -> tuple[ChatRequest, frozenset[str]]:
    """The request in `body`, and the paths of the fields that hold a value and that no type here has.

    Raises InvalidRequest whose `param` is a path like `messages[2].content[0].type`.
    """
    if not body.isascii():
        check_utf8(body)
    # Most bodies hold known fields only, most others one unknown field at the top. Looking for unknown fields at every
    # depth costs 4 ms a MB, for surrogates 1.6 ms.
    with suppress(msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return _checked(_read_chat(body)), frozenset()
    with suppress(msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        pruned, unknown = prune_top(body, ChatRequest)
        return _checked(_read_chat(pruned)), frozenset(unknown)
    pruned, unknown = prune(repaired(body), ChatRequest)
    return _checked(decode(_read_chat, pruned)), frozenset(unknown)


def _checked(chat: ChatRequest) -> ChatRequest:
    """`chat`; raises InvalidRequest for a value that stays undecoded and is nested too deeply."""
    for name in ("anthropic", "container", "context_management", "mcp_servers", "metadata"):
        value: Raw = getattr(chat, name)
        if value is not NULL:  # most requests have none of these; a generator over all values took 3 us for each
            check_nesting(value, name)
    for index, tool in enumerate(chat.tools or ()):
        check_nesting(tool, f"tools[{index}]")
    for index, function in enumerate(chat.functions or ()):
        check_nesting(function.parameters, f"functions[{index}].parameters")
    if (format_ := chat.response_format) is not None:
        check_nesting(format_.schema, "response_format.schema")
        if format_.json_schema is not None:
            check_nesting(format_.json_schema.schema, "response_format.json_schema.schema")
    return chat


_read_chat = msgspec.json.Decoder(ChatRequest).decode
