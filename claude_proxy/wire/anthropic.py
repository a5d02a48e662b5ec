"""Anthropic's Messages API as data: what we send (typed, nothing extra), what we read (tolerant: it may grow).

Shapes follow `anthropic.types` of the SDK 2.12. Fields that only travel through us (a tool's input, a JSON
schema, a block we do not interpret) stay `msgspec.Raw`.
"""

from collections.abc import Iterable

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

VERSION = "2023-06-01"
OAUTH_BETA = "oauth-2025-04-20"

# ---------------------------------------------------------------------------------------------- what we send


class CacheControl(Struct, tag="ephemeral", tag_field="type", omit_defaults=True, frozen=True):
    ttl: str | None = None  # "5m" (the API's default) or "1h"


class TextBlock(Struct, tag="text", tag_field="type", omit_defaults=True):
    text: str
    cache_control: CacheControl | None = None


class Base64Source(Struct, tag="base64", tag_field="type"):
    media_type: str
    data: str


class UrlSource(Struct, tag="url", tag_field="type"):
    url: str


class TextSource(Struct, tag="text", tag_field="type"):
    media_type: str
    data: str


class FileSource(Struct, tag="file", tag_field="type"):
    file_id: str


class ImageBlock(Struct, tag="image", tag_field="type", omit_defaults=True):
    source: Base64Source | UrlSource | FileSource
    cache_control: CacheControl | None = None


class DocumentBlock(Struct, tag="document", tag_field="type", omit_defaults=True):
    source: Base64Source | UrlSource | TextSource | FileSource
    title: str | None = None
    cache_control: CacheControl | None = None


class ToolUseBlock(Struct, tag="tool_use", tag_field="type", omit_defaults=True):
    id: str
    name: str
    input: Raw
    cache_control: CacheControl | None = None


class ToolResultBlock(Struct, tag="tool_result", tag_field="type", omit_defaults=True):
    tool_use_id: str
    content: "str | list[TextBlock | ImageBlock | DocumentBlock] | None" = None
    is_error: bool = False
    cache_control: CacheControl | None = None


class ThinkingBlock(Struct, tag="thinking", tag_field="type"):
    thinking: str
    signature: str


class RedactedThinkingBlock(Struct, tag="redacted_thinking", tag_field="type"):
    data: str


Block = (
    TextBlock
    | ImageBlock
    | DocumentBlock
    | ToolUseBlock
    | ToolResultBlock
    | ThinkingBlock
    | RedactedThinkingBlock
    | Raw  # a block of upstream's own, put back as it came
)


# The blocks that may carry a cache breakpoint
Cacheable = TextBlock | ImageBlock | DocumentBlock | ToolUseBlock | ToolResultBlock


class Message(Struct):
    role: str  # "user", "assistant", or "system" in mid-conversation
    content: list[Block]


class Tool(Struct, omit_defaults=True):
    name: str
    input_schema: Raw
    description: str | None = None
    strict: bool | None = None
    cache_control: CacheControl | None = None
    allowed_callers: Raw | None = None
    defer_loading: Raw | None = None
    eager_input_streaming: Raw | None = None
    input_examples: Raw | None = None


class ToolChoice(Struct, omit_defaults=True):
    type: str  # auto, any, tool, none
    name: str | None = None
    disable_parallel_tool_use: bool = False


class Thinking(Struct, omit_defaults=True):
    type: str  # adaptive, enabled, disabled, between_tools
    budget_tokens: int | None = None
    display: str | None = None


class OutputConfig(Struct, omit_defaults=True):
    effort: str | None = None
    format: Raw | None = None


class Metadata(Struct):
    user_id: str


class MessagesRequest(Struct, omit_defaults=True):
    """The body of POST /v1/messages. `stream` is always true: for other clients the answer is folded here."""

    model: str
    max_tokens: int
    messages: list[Message]
    stream: bool
    system: list[TextBlock] | None = None
    tools: list[Tool | Raw] | None = None
    tool_choice: ToolChoice | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    stop_sequences: list[str] | None = None
    thinking: Thinking | Raw | None = None
    output_config: OutputConfig | None = None
    metadata: Metadata | None = None
    service_tier: str | None = None
    speed: str | None = None
    cache_control: CacheControl | None = None


# ---------------------------------------------------------------------------------------------- what we read


class Usage(Struct):
    """Token counters; an absent or null one is not known (yet)."""

    input_tokens: int | None = None
    cache_creation_input_tokens: int | None = None
    cache_read_input_tokens: int | None = None
    output_tokens: int | None = None
    output_tokens_details: "OutputTokensDetails | None" = None
    service_tier: str | None = None
    speed: str | None = None
    cache_creation: "CacheCreation | None" = None
    server_tool_use: "ServerToolUse | None" = None


class OutputTokensDetails(Struct):
    thinking_tokens: int | None = None


class CacheCreation(Struct):
    """The parts of `cache_creation_input_tokens` by lifetime, of which each has its own price."""

    ephemeral_1h_input_tokens: int | None = None


class ServerToolUse(Struct):
    web_search_requests: int | None = None


def summed(usages: Iterable[Usage]) -> Usage | None:
    """The counters of several requests that were answered as one: each of them was paid for."""
    usages = list(usages)
    if len(usages) < 2:
        return usages[0] if usages else None
    details = [usage.output_tokens_details or OutputTokensDetails() for usage in usages]
    return Usage(
        input_tokens=_total(usage.input_tokens for usage in usages),
        cache_creation_input_tokens=_total(usage.cache_creation_input_tokens for usage in usages),
        cache_read_input_tokens=_total(usage.cache_read_input_tokens for usage in usages),
        output_tokens=_total(usage.output_tokens for usage in usages),
        output_tokens_details=OutputTokensDetails(_total(detail.thinking_tokens for detail in details)),
        service_tier=usages[0].service_tier,
        speed=usages[0].speed,
        cache_creation=CacheCreation(
            _total(each.cache_creation.ephemeral_1h_input_tokens for each in usages if each.cache_creation is not None)
        ),
        server_tool_use=ServerToolUse(
            _total(each.server_tool_use.web_search_requests for each in usages if each.server_tool_use is not None)
        ),
    )


def _total(counts: Iterable[int | None]) -> int | None:
    known = [count for count in counts if count is not None]
    return sum(known) if known else None


class StartedMessage(Struct):
    id: str = ""
    model: str = ""
    usage: Usage | None = None
    content: list[Raw] = []  # blocks that stand in the start itself, whole: a resumed programmatic tool call


class ContentBlock(Struct):
    type: str = ""
    id: str = ""
    name: str = ""
    text: str = ""
    thinking: str = ""
    signature: str = ""
    data: str = ""
    input: Raw | UnsetType = UNSET
    content: Raw | UnsetType = UNSET  # of a server tool's result
    tool_use_id: str = ""  # the call that a server tool's result answers
    server_name: str = ""  # of an MCP tool's call
    is_error: bool = False  # of an MCP tool's result


class Citation(Struct):
    type: str = ""
    url: str | None = None
    source: str | None = None
    title: str | None = None
    cited_text: str | None = None


class StopDetails(Struct):
    type: str = ""
    category: str | None = None
    explanation: str | None = None


class Delta(Struct):
    """The delta of a content block, or of the message itself (`stop_reason`)."""

    type: str = ""
    text: str = ""
    partial_json: str = ""
    thinking: str = ""
    signature: str = ""
    citation: Citation | None = None
    stop_reason: str | None = None
    stop_details: StopDetails | None = None


class ErrorDetail(Struct):
    type: str = ""
    message: str = ""
    details: "ErrorDetails | None" = None


class ErrorDetails(Struct):
    error_code: str | None = None


class Event(Struct):
    """One event of a stream, all types in one: absent fields keep their defaults, unknown ones are ignored."""

    type: str = ""
    index: int = 0
    message: StartedMessage | None = None
    content_block: ContentBlock | None = None
    delta: Delta | None = None
    usage: Usage | None = None
    error: ErrorDetail | None = None


class TokenCount(Struct):
    """What POST /v1/messages/count_tokens answers."""

    input_tokens: int


class ErrorBody(Struct):
    """What upstream answers instead of a message; also the body of an `error` event."""

    error: ErrorDetail
    type: str = "error"
    request_id: str | None = None


class Supported(Struct):
    supported: bool = False


class ThinkingTypes(Struct):
    adaptive: Supported = msgspec.field(default_factory=Supported)
    between_tools: Supported = msgspec.field(default_factory=Supported)
    disabled: Supported = msgspec.field(default_factory=Supported)
    enabled: Supported = msgspec.field(default_factory=Supported)


class ThinkingCapability(Struct):
    supported: bool = False
    types: ThinkingTypes | None = None


class EffortCapability(Struct):
    supported: bool = False
    low: Supported | None = None
    medium: Supported | None = None
    high: Supported | None = None
    xhigh: Supported | None = None
    max: Supported | None = None


class ModelCapabilities(Struct):
    effort: EffortCapability | None = None
    thinking: ThinkingCapability | None = None
    structured_outputs: Supported | None = None
    image_input: Supported | None = None
    pdf_input: Supported | None = None


class ModelInfo(Struct):
    """One row of GET /v1/models. Times are RFC 3339; a creation time of the epoch means unknown."""

    id: str
    display_name: str = ""
    created_at: str = "1970-01-01T00:00:00Z"
    type: str = "model"
    line: str | None = None
    lifecycle: str = "active"
    max_input_tokens: int | None = None
    max_tokens: int | None = None
    retires_at: str | None = None
    capabilities: ModelCapabilities | None = None


class ModelPage(Struct):
    data: list[ModelInfo]
    has_more: bool = False
    last_id: str | None = None


class _TypeOnly(Struct):
    type: str = ""


class _EventTypes(Struct):
    """The parts of an event that say whether its shape is known here."""

    type: str = ""
    index: Raw = Raw(b"0")
    delta: _TypeOnly | None = None
    content_block: _TypeOnly | None = None


_EVENT_TYPES = frozenset(
    {
        *("message_start", "message_delta", "message_stop", "error"),
        *("content_block_start", "content_block_delta", "content_block_stop"),
    }
)
_BLOCK_TYPES = frozenset({"text", "thinking", "redacted_thinking", "tool_use", "server_tool_use"})
_DELTA_TYPES = frozenset({"text_delta", "input_json_delta", "thinking_delta", "signature_delta", "citations_delta"})
_decode_event = msgspec.json.Decoder(Event).decode
_decode_event_types = msgspec.json.Decoder(_EventTypes).decode
_decode_index = msgspec.json.Decoder(int).decode


def read_event(data: bytes) -> Event | None:
    """The event in `data`; None where it is of a type that is unknown here, which Anthropic asks clients to ignore.

    Raises msgspec.MsgspecError, UnicodeDecodeError or RecursionError for an event of a known type that cannot be read.
    """
    try:
        return _decode_event(data)
    except msgspec.ValidationError:
        types = _decode_event_types(data)
        if types.type not in _EVENT_TYPES:
            return None
        if types.type == "content_block_delta" and types.delta and types.delta.type not in _DELTA_TYPES:
            return None
        if types.type == "content_block_start" and (block := types.content_block) and block.type not in _BLOCK_TYPES:
            # Only its type is of use, but the block must be known to be open.
            return Event(types.type, _decode_index(types.index), content_block=ContentBlock(block.type))
        raise


read_content_block = msgspec.json.Decoder(ContentBlock).decode
read_token_count = msgspec.json.Decoder(TokenCount).decode
read_error = msgspec.json.Decoder(ErrorBody).decode
read_models = msgspec.json.Decoder(ModelPage).decode
