"""Prompt caching: automatic by default, the client's own breakpoints kept within upstream's rules.

Source: Anthropic's "Prompt caching" page: at most four breakpoints in tools, system and messages together, in
this order, those inside tool results included; a one-hour one never behind a five-minute one; automatic caching
is one more, on the last block.
"""

import msgspec
from msgspec import Raw

from claude_proxy.translate.content import cache_control
from claude_proxy.translate.draft import Draft
from claude_proxy.wire import anthropic
from claude_proxy.wire.anthropic import Cacheable, CacheControl
from claude_proxy.wire.decoding import decode

MAX_BREAKPOINTS = 4

_Cacheable = Cacheable | anthropic.Tool


def set_caching(
    draft: Draft, *, control: CacheControl | None = None, automatic: bool = True, hour: bool = False, param: str
) -> None:
    """Settle which breakpoints are sent, and whether upstream sets one by itself; call this after all other steps.

    `control` is a top-level `cache_control` that the client set itself. Without one, `automatic` is False if the
    client wants no automatic caching, and `hour` is True if it wants the longer lifetime. `param` names the blocks.
    """
    fixed = [found for tool in draft.body.tools or () if (found := _native_control(tool))]
    marked = _marked(draft.body)
    if draft.model.limits.without_cache_marks is not None:
        if control or marked or fixed:
            draft.warn(param, draft.model.limits.without_cache_marks)
        for item in marked:
            item.cache_control = None
        return
    dropped = max(0, len(marked) + len(fixed) - MAX_BREAKPOINTS)
    if dropped:
        draft.note("changed", param, f"only the last {MAX_BREAKPOINTS} cache breakpoints were sent")
    for item in marked[:dropped]:
        item.cache_control = None
    kept = marked[dropped:]
    if kept:
        _order_lifetimes(draft, kept, short_seen=any(found.ttl is None for found in fixed), param=param)
    if control is None and automatic and draft.options.prompt_caching:
        control = CacheControl("1h" if hour else None)
    if control is not None:
        sent = [item.cache_control for item in kept if item.cache_control] + fixed
        draft.body.cache_control = _fitting(draft, control, sent)


class _Control(msgspec.Struct):
    ttl: str | None = None


class _Native(msgspec.Struct):
    cache_control: _Control | None = None


_read_native = msgspec.json.Decoder(_Native).decode


def _native_control(tool: anthropic.Tool | Raw) -> CacheControl | None:
    """The breakpoint of a tool of Anthropic's own, which is sent as the client wrote it."""
    if not isinstance(tool, Raw) or (control := decode(_read_native, tool, "tools").cache_control) is None:
        return None
    return cache_control(control.ttl)


def _marked(body: anthropic.MessagesRequest) -> list[_Cacheable]:
    """Every tool and block that carries a breakpoint, in upstream's order, but those sent byte for byte."""
    marked: list[_Cacheable] = [
        tool for tool in body.tools or () if isinstance(tool, anthropic.Tool) and tool.cache_control
    ]
    marked += [text for text in body.system or () if text.cache_control]
    for message in body.messages:
        for block in message.content:
            if isinstance(block, anthropic.ToolResultBlock) and isinstance(block.content, list):
                marked += [part for part in block.content if part.cache_control]
            if isinstance(block, Cacheable) and block.cache_control:
                marked.append(block)
    return marked


def _order_lifetimes(draft: Draft, marked: list[_Cacheable], *, short_seen: bool, param: str) -> None:
    for item in marked:
        if item.cache_control == CacheControl():
            short_seen = True
        elif short_seen:
            item.cache_control = CacheControl()
            draft.note("changed", param, "a one-hour breakpoint behind a five-minute one was sent with five minutes")


def _fitting(draft: Draft, control: CacheControl, sent: list[CacheControl]) -> CacheControl | None:
    """The top-level `cache_control` beside the breakpoints `sent`; None where it would be one too many."""
    if len(sent) >= MAX_BREAKPOINTS:
        return None
    if sent and CacheControl() in sent:
        control = CacheControl()
    last = draft.body.messages[-1].content[-1]
    its_own = last.cache_control if isinstance(last, _Cacheable) else None
    return control if its_own in (None, control) else None
