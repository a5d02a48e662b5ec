"""Prompt caching: automatic by default, the client's own breakpoints kept within upstream's rules.

Source: Anthropic's "Prompt caching" page: at most four breakpoints in tools, system and messages together, in
this order, those inside tool results included; a one-hour one never behind a five-minute one; automatic caching
is one more, on the last block.
"""

from collections.abc import Iterator

import msgspec
from msgspec import Raw

from claude_proxy.translate.draft import Draft
from claude_proxy.translate.parts import cache_control
from claude_proxy.wire import anthropic
from claude_proxy.wire import chat_request as openai
from claude_proxy.wire.anthropic import CacheControl

MAX_BREAKPOINTS = 4

_Cacheable = (
    anthropic.TextBlock
    | anthropic.ImageBlock
    | anthropic.DocumentBlock
    | anthropic.ToolUseBlock
    | anthropic.ToolResultBlock
    | anthropic.Tool
)


def translate_caching(draft: Draft) -> None:
    """Settle which breakpoints are sent, and whether upstream is to set one by itself."""
    fixed = [control for tool in draft.body.tools or () if (control := _carried(tool))]
    marked = [item for item in _cacheable(draft.body) if item.cache_control]
    dropped = max(0, len(marked) + len(fixed) - MAX_BREAKPOINTS)
    if dropped:
        draft.note("changed", "messages", f"only the last {MAX_BREAKPOINTS} cache breakpoints were sent")
    for item in marked[:dropped]:
        item.cache_control = None
    kept = marked[dropped:]
    _order_times(draft, kept, short_seen=any(control.ttl is None for control in fixed))
    draft.body.cache_control = _automatic(draft, [item.cache_control for item in kept if item.cache_control] + fixed)


class _Carried(msgspec.Struct):
    cache_control: openai.CacheBreakpoint | None = None


_read_carried = msgspec.json.Decoder(_Carried).decode


def _carried(tool: anthropic.Tool | Raw) -> CacheControl | None:
    """The breakpoint of a tool of Anthropic's own, which travels as it is."""
    return cache_control(_read_carried(tool).cache_control) if isinstance(tool, Raw) else None


def _cacheable(body: anthropic.MessagesRequest) -> Iterator[_Cacheable]:
    """Everything that may carry a breakpoint, in upstream's order; what travels as it is left out."""
    for tool in body.tools or ():
        if isinstance(tool, anthropic.Tool):
            yield tool
    yield from body.system or ()
    for message in body.messages:
        for block in message.content:
            if isinstance(block, anthropic.ToolResultBlock) and isinstance(block.content, list):
                yield from block.content
            if isinstance(block, _Cacheable):
                yield block


def _order_times(draft: Draft, marked: list[_Cacheable], *, short_seen: bool) -> None:
    for item in marked:
        if item.cache_control == CacheControl():
            short_seen = True
        elif short_seen:
            item.cache_control = CacheControl()
            draft.note("changed", "messages", "a breakpoint of an hour behind one of five minutes was sent as such")


def _automatic(draft: Draft, sent: list[CacheControl]) -> CacheControl | None:
    """The top-level `cache_control`; None where it is unwanted, or where it would be one breakpoint too many."""
    chat = draft.chat
    options = chat.prompt_cache_options
    control = cache_control(chat.cache_control)
    if control is None:
        if not draft.options.prompt_caching or (options and options.mode == "explicit"):
            return None
        hour = (options and options.ttl) or chat.prompt_cache_retention == "24h"
        control = CacheControl("1h" if hour else None)
    if len(sent) >= MAX_BREAKPOINTS:
        return None
    if CacheControl() in sent:
        control = CacheControl()
    last = draft.body.messages[-1].content[-1]
    its_own = last.cache_control if isinstance(last, _Cacheable) else None
    return control if its_own in (None, control) else None
