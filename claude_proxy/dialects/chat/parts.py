"""Content parts of chat messages as Anthropic's blocks: text, images, files, and a tool's result of any form."""

import msgspec
from msgspec import Raw

from claude_proxy.errors import InvalidRequest
from claude_proxy.translate.content import PartBlock, ResultContent, cache_control, text_blocks
from claude_proxy.translate.draft import Draft
from claude_proxy.translate.media import FileInput, document_block, image_block
from claude_proxy.wire import chat_messages as chat
from claude_proxy.wire.anthropic import CacheControl, TextBlock
from claude_proxy.wire.decoding import NULL, check_nesting, decode, repaired
from claude_proxy.wire.known_fields import prune

ContentPart = chat.TextPart | chat.RefusalPart | chat.ImagePart | chat.FilePart | chat.AudioPart | chat.ImageBlockPart


def content_blocks(content: str | list[chat.TextPart] | None) -> list[TextBlock]:
    """The texts of a message's `content`; blank ones are left out, upstream refuses them."""
    if content is None or isinstance(content, str):
        return text_blocks(content)
    return [TextBlock(part.text, breakpoint_of(part)) for part in content if part.text.strip()]


def part_block(draft: Draft, part: ContentPart, param: str) -> PartBlock | None:
    """The block for one part; None for a blank text and for audio, which Claude cannot read."""
    match part:
        case chat.TextPart():
            return TextBlock(part.text, breakpoint_of(part)) if part.text.strip() else None
        case chat.RefusalPart():
            return TextBlock(part.refusal) if part.refusal.strip() else None
        case chat.ImagePart():
            link = part.image_url
            image = image_block(link if isinstance(link, str) else link.url, f"{param}.image_url")
            image.cache_control = breakpoint_of(part)
            return image
        case chat.FilePart():
            file = FileInput(part.file.file_data, part.file.file_id, part.file.filename)
            document = document_block(file, f"{param}.file")
            document.cache_control = breakpoint_of(part)
            return document
        case chat.ImageBlockPart():
            image = image_block(_address(part, param), param)
            image.cache_control = breakpoint_from(part.cache_control)
            return image
        case chat.AudioPart():
            draft.warn(param, "Claude has no audio input, so this part was left out; send a transcript as text")
            return None


def _address(part: chat.ImageBlockPart, param: str) -> str:
    """The link to an image, or its data as a data URL."""
    source = part.source or chat.ImageSource(media_type=part.mime_type, data=part.data)
    if source.url is not None:
        return source.url
    if source.data is None:
        raise InvalidRequest(
            f"Missing required parameter: '{param}.source'.", param=f"{param}.source", code="missing_required_parameter"
        )
    return f"data:{source.media_type or ''};base64,{source.data}"


def breakpoint_of(part: chat.TextPart | chat.ImagePart | chat.FilePart) -> CacheControl | None:
    """The cache breakpoint a part carries: OpenAI's own, or Anthropic's, which LiteLLM clients send."""
    return breakpoint_from(part.prompt_cache_breakpoint or part.cache_control)


def breakpoint_from(given: chat.CacheBreakpoint | None) -> CacheControl | None:
    return None if given is None else cache_control(given.ttl)


# ------------------------------------------------------------------------------------------- a tool's result


class _Typed(msgspec.Struct):
    type: str
    source: Raw = NULL
    data: Raw = NULL


_read_typed = msgspec.json.Decoder(_Typed).decode
_read_text = msgspec.json.Decoder(str).decode
_read_values = msgspec.json.Decoder(list[Raw]).decode
_Parts = list[chat.ToolPart]
_read_parts = msgspec.json.Decoder(_Parts).decode
_PART_TYPES = ("text", "image_url", "file")


def result_content(draft: Draft, content: Raw, param: str) -> ResultContent:
    """A tool's result: text, parts, or any other JSON value, which is sent as JSON text."""
    try:
        # Nearly always a text. The decoder refuses lone surrogates by itself, so looking for them is left out here.
        text = _read_text(content)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        check_nesting(content, param)
    else:
        return text if text.strip() else None
    data = repaired(bytes(content))
    match data[:1]:
        case b"" | b"n":
            return None
        case b'"':
            text = _read_text(data)
            return text if text.strip() else None
        case b"[" if all(_is_part(value) for value in _read_values(data)):
            known, _ = prune(data, _Parts, param)  # a tool's parts may carry fields of its own; they are dropped
            parts = decode(_read_parts, known, param)
            blocks = [part_block(draft, part, f"{param}[{index}]") for index, part in enumerate(parts)]
            return [block for block in blocks if block is not None] or None
        case _:
            draft.note("changed", param, "a result that is neither text nor parts was sent as its JSON text")
            return data.decode()


def _is_part(value: Raw) -> bool:
    try:
        typed = _read_typed(value)
    except msgspec.MsgspecError:
        return False
    return typed.type in _PART_TYPES or (typed.type == "image" and (typed.source != NULL or typed.data != NULL))
