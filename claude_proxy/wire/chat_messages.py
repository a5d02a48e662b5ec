"""The messages of a chat completion request and their content parts, as clients send them.

The types follow `openai.types.chat` of the SDK 3.54, and the extensions that clients of compatible services send.
`null` equals absence everywhere. Values that are only passed on stay `msgspec.Raw`.
"""

import msgspec
from msgspec import Raw, Struct

from claude_proxy.wire.decoding import NULL


class Known(Struct, forbid_unknown_fields=True):
    """An object whose unknown fields are refused here and named by `read_chat_request`."""


class CacheBreakpoint(Known):
    """OpenAI's `prompt_cache_breakpoint` on a content part; also Anthropic's `cache_control`, which LiteLLM sends."""

    mode: str | None = None
    type: str | None = None
    ttl: str | None = None


class TextPart(Known, tag="text", tag_field="type"):
    text: str
    cache_control: CacheBreakpoint | None = None
    prompt_cache_breakpoint: CacheBreakpoint | None = None


class ImageURL(Known):
    url: str
    detail: str | None = None


class ImagePart(Known, tag="image_url", tag_field="type"):
    image_url: ImageURL | str
    cache_control: CacheBreakpoint | None = None
    prompt_cache_breakpoint: CacheBreakpoint | None = None


class AudioPart(Known, tag="input_audio", tag_field="type"):
    input_audio: Raw = NULL


class FileData(Known):
    file_data: str | None = None
    file_id: str | None = None
    filename: str | None = None


class FilePart(Known, tag="file", tag_field="type"):
    file: FileData
    cache_control: CacheBreakpoint | None = None
    prompt_cache_breakpoint: CacheBreakpoint | None = None


class ImageBlockPart(Known, tag="image", tag_field="type"):
    """An image as Anthropic's block (`source`), or as MCP's content (`data`, `mimeType`)."""

    source: "ImageSource | None" = None
    data: str | None = None
    mime_type: str | None = msgspec.field(default=None, name="mimeType")
    cache_control: CacheBreakpoint | None = None


class ImageSource(Known):
    """The source of Anthropic's image block."""

    type: str | None = None
    media_type: str | None = None
    data: str | None = None
    url: str | None = None


class ToolResultPart(Known, tag="tool_result", tag_field="type"):
    """Anthropic's block for a tool's result, in a user message."""

    tool_use_id: str
    content: Raw = NULL
    is_error: bool | None = None
    cache_control: CacheBreakpoint | None = None


class ToolUsePart(Known, tag="tool_use", tag_field="type"):
    """Anthropic's block for a tool call, in an assistant message."""

    id: str
    name: str
    input: Raw = NULL
    cache_control: CacheBreakpoint | None = None


class RefusalPart(Known, tag="refusal", tag_field="type"):
    refusal: str


class ThinkingPart(Known, tag="thinking", tag_field="type"):
    """A block of LiteLLM's `thinking_blocks`, as some clients put it into the content."""

    thinking: str = ""
    signature: str | None = None
    cache_control: Raw = NULL  # upstream accepts no breakpoint on thinking


class RedactedThinkingPart(Known, tag="redacted_thinking", tag_field="type"):
    data: str = ""
    cache_control: Raw = NULL


SystemContent = str | list[TextPart] | None
UserPart = TextPart | ImagePart | AudioPart | FilePart | RefusalPart | ImageBlockPart | ToolResultPart
AssistantPart = TextPart | RefusalPart | ThinkingPart | RedactedThinkingPart | ToolUsePart
ToolPart = TextPart | ImagePart | FilePart | ImageBlockPart


class FunctionCall(Known):
    name: str
    arguments: str | None = None
    parsed_arguments: Raw = NULL  # what OpenAI's SDK adds when it parses a reply, and sends back; without effect


class CustomCall(Known):
    name: str
    input: str | None = None


class ToolCall(Known):
    """A call in the history; `type` is absent in some clients, then it is the one whose body is there."""

    id: str
    type: str | None = None
    function: FunctionCall | None = None
    custom: CustomCall | None = None
    # what clients send back of a reply's calls; without effect
    index: Raw = NULL
    provider_specific_fields: Raw = NULL


class ReasoningDetail(Known):
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


class SystemMessage(Known, tag="system", tag_field="role"):
    content: SystemContent = None
    name: str | None = None
    cache_control: CacheBreakpoint | None = None


class DeveloperMessage(Known, tag="developer", tag_field="role"):
    content: SystemContent = None
    name: str | None = None
    cache_control: CacheBreakpoint | None = None


class UserMessage(Known, tag="user", tag_field="role"):
    content: str | list[UserPart] | None = None
    name: str | None = None
    cache_control: CacheBreakpoint | None = None


class AssistantMessage(Known, tag="assistant", tag_field="role"):
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


class ToolMessage(Known, tag="tool", tag_field="role"):
    tool_call_id: str
    content: Raw = NULL  # text, parts, and in the wild any JSON value
    name: str | None = None
    is_error: bool | None = None
    cache_control: CacheBreakpoint | None = None


class FunctionMessage(Known, tag="function", tag_field="role"):
    name: str
    content: Raw = NULL


ChatMessage = SystemMessage | DeveloperMessage | UserMessage | AssistantMessage | ToolMessage | FunctionMessage
