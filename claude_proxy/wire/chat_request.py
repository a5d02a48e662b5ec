"""The body of a chat completion request: strict types, and errors that name the path of the fault; messages are apart.

The types follow `openai.types.chat` of the SDK 3.54, and the extensions that clients of compatible services send.
`null` equals absence everywhere. Values that are only passed on (schemas, tool arguments) stay `msgspec.Raw`.
"""

from contextlib import suppress

import msgspec
from msgspec import Raw

from claude_proxy.wire.chat_messages import CacheBreakpoint, ChatMessage, Known
from claude_proxy.wire.decoding import NULL, check_nesting, check_utf8, decode, repaired
from claude_proxy.wire.known_fields import prune, prune_top

# ------------------------------------------------------------------------------------------ what clients send


class FunctionDefinition(Known):
    name: str
    description: str | None = None
    parameters: Raw = NULL
    strict: bool | None = None
    cache_control: CacheBreakpoint | None = None


class GrammarDefinition(Known):
    definition: str
    syntax: str = ""


class CustomFormat(Known):
    """The format of a custom tool: OpenAI's chat nests a grammar, its Responses API has it flat."""

    type: str
    grammar: GrammarDefinition | None = None
    definition: str | None = None
    syntax: str | None = None


class CustomDefinition(Known):
    name: str
    description: str | None = None
    format: CustomFormat | None = None
    cache_control: CacheBreakpoint | None = None


class FunctionTool(Known):
    function: FunctionDefinition
    type: str = "function"
    strict: bool | None = None
    cache_control: CacheBreakpoint | None = None
    # Anthropic's own fields of a tool, which are sent byte for byte
    allowed_callers: Raw = NULL
    defer_loading: Raw = NULL
    eager_input_streaming: Raw = NULL
    input_examples: Raw = NULL


class FlatFunctionTool(Known):
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


class CustomTool(Known):
    custom: CustomDefinition
    type: str = "custom"
    cache_control: CacheBreakpoint | None = None


class FlatCustomTool(Known):
    """A custom tool as OpenAI's Responses API writes it."""

    name: str
    type: str = "custom"
    description: str | None = None
    format: CustomFormat | None = None
    cache_control: CacheBreakpoint | None = None


class Named(Known):
    name: str


class AllowedTool(Known):
    type: str = "function"
    name: str | None = None
    function: Named | None = None
    custom: Named | None = None


class AllowedTools(Known):
    mode: str
    tools: list[AllowedTool]


class ToolChoiceObject(Known):
    """A choice in OpenAI's form, or flat with `name`, as Anthropic and the Responses API write it."""

    type: str
    name: str | None = None
    function: Named | None = None
    custom: Named | None = None
    allowed_tools: AllowedTools | None = None


class StreamOptions(Known):
    include_usage: bool | None = None
    include_obfuscation: bool | None = None


class JSONSchemaFormat(Known):
    name: str | None = None
    description: str | None = None
    schema: Raw = NULL
    strict: bool | None = None


class ResponseFormat(Known):
    type: str
    json_schema: JSONSchemaFormat | None = None
    schema: Raw = NULL  # beside `json_object`, as other services accept it


class UserLocationApproximate(Known, omit_defaults=True):
    city: str | None = None
    country: str | None = None
    region: str | None = None
    timezone: str | None = None


class UserLocation(Known):
    """A location: nested in `approximate`, or flat, as the Responses API has it."""

    type: str | None = None
    approximate: UserLocationApproximate | None = None
    city: str | None = None
    country: str | None = None
    region: str | None = None
    timezone: str | None = None


class WebSearchFilters(Known):
    allowed_domains: list[str] | None = None
    blocked_domains: list[str] | None = None


class WebSearchOptions(Known):
    search_context_size: str | None = None
    user_location: UserLocation | None = None
    filters: WebSearchFilters | None = None


class CacheOptions(Known):
    mode: str | None = None
    ttl: str | None = None


class Reasoning(Known):
    """OpenRouter's `reasoning`."""

    effort: str | None = None
    max_tokens: int | None = None
    exclude: bool | None = None
    enabled: bool | None = None


class ThinkingOption(Known):
    """Anthropic's own `thinking`, which LiteLLM clients send at the top level."""

    type: str
    budget_tokens: int | None = None
    display: str | None = None


class ExtraBody(Known):
    """A literal `extra_body` object, which raw HTTP users copy from SDK examples."""

    enable_thinking: bool | None = None
    thinking: ThinkingOption | None = None
    reasoning_effort: str | None = None


class ChatRequest(Known):
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
