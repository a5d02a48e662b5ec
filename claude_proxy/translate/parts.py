"""Content parts as Anthropic's blocks: text, images, files, and whatever a tool's result may be."""

import msgspec
from msgspec import Raw

from claude_proxy.errors import InvalidRequest
from claude_proxy.translate.draft import Draft
from claude_proxy.translate.media import document_block, image_block
from claude_proxy.wire import anthropic
from claude_proxy.wire import chat_request as openai
from claude_proxy.wire.anthropic import CacheControl, TextBlock
from claude_proxy.wire.decoding import decode, repaired

PartBlock = TextBlock | anthropic.ImageBlock | anthropic.DocumentBlock
ResultContent = str | list[PartBlock] | None


def text_blocks(content: str | list[openai.TextPart] | None) -> list[TextBlock]:
    """The texts of `content`; blank ones are left out, upstream refuses them."""
    if content is None or isinstance(content, str):
        return [TextBlock(content)] if content and content.strip() else []
    return [TextBlock(part.text, breakpoint_of(part)) for part in content if part.text.strip()]


def part_block(part: openai.UserPart, place: str) -> PartBlock | None:
    """The block for one part, None for a blank text. Raises InvalidRequest where Claude has nothing like it."""
    match part:
        case openai.TextPart():
            return TextBlock(part.text, breakpoint_of(part)) if part.text.strip() else None
        case openai.RefusalPart():
            return TextBlock(part.refusal) if part.refusal.strip() else None
        case openai.ImagePart():
            link = part.image_url
            image = image_block(link if isinstance(link, str) else link.url, f"{place}.image_url")
            image.cache_control = breakpoint_of(part)
            return image
        case openai.FilePart():
            document = document_block(part.file, f"{place}.file")
            document.cache_control = breakpoint_of(part)
            return document
        case openai.AudioPart():
            raise InvalidRequest(
                "Claude has no audio input; send a transcript as text.", param=place, code="unsupported_value"
            )


def breakpoint_of(part: openai.TextPart | openai.ImagePart | openai.FilePart) -> CacheControl | None:
    """The cache breakpoint a part carries: OpenAI's own, or Anthropic's, which LiteLLM clients send."""
    return cache_control(part.prompt_cache_breakpoint or part.cache_control)


def cache_control(asked: openai.CacheBreakpoint | None) -> CacheControl | None:
    """Anthropic knows two lifetimes: five minutes, the default, and an hour, which stands for any longer one."""
    if asked is None:
        return None
    return CacheControl(None if asked.ttl in (None, "5m") else "1h")


# ------------------------------------------------------------------------------------------- a tool's result


class _Typed(msgspec.Struct):
    type: str


_read_typed = msgspec.json.Decoder(_Typed).decode
_read_text = msgspec.json.Decoder(str).decode
_read_values = msgspec.json.Decoder(list[Raw]).decode
_read_parts = msgspec.json.Decoder(list[openai.ToolPart]).decode
_PART_TYPES = ("text", "image_url", "file")


def result_content(draft: Draft, content: Raw, place: str) -> ResultContent:
    """A tool's result: text, parts, or any other JSON value, which some clients send as it is."""
    data = repaired(bytes(content))
    match data[:1]:
        case b"" | b"n":
            return None
        case b'"':
            text = _read_text(data)
            return text if text.strip() else None
        case b"[" if all(_is_part(value) for value in _read_values(data)):
            parts = decode(_read_parts, data, place)
            blocks = [part_block(part, f"{place}[{index}]") for index, part in enumerate(parts)]
            return [block for block in blocks if block is not None] or None
        case _:
            draft.note("changed", place, "a result that is neither text nor parts was sent as its JSON text")
            return data.decode()


def _is_part(value: Raw) -> bool:
    try:
        return _read_typed(value).type in _PART_TYPES
    except msgspec.MsgspecError:
        return False
