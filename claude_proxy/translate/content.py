"""Content blocks that every dialect makes: texts without blank ones, tool results, cache breakpoints."""

from claude_proxy.wire.anthropic import CacheControl, DocumentBlock, ImageBlock, TextBlock

PartBlock = TextBlock | ImageBlock | DocumentBlock
ResultContent = str | list[PartBlock] | None


def text_blocks(text: str | None) -> list[TextBlock]:
    """One block for `text`; none for a blank one, which upstream refuses."""
    return [TextBlock(text)] if text and text.strip() else []


def cache_control(ttl: str | None) -> CacheControl:
    """A breakpoint. Anthropic has two lifetimes: five minutes, the default, and an hour, used for any longer one."""
    return CacheControl(None if ttl in (None, "5m") else "1h")
