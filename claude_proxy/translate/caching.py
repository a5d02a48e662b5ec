"""Prompt caching: automatic by default, the client's own breakpoints kept within upstream's rules.

Source: Anthropic's "Prompt caching" page: at most four breakpoints in tools, system and messages together; a
one-hour one never behind a five-minute one; automatic caching is one more, on the last block.
"""

from collections.abc import Iterator

import msgspec

from claude_proxy.translate.draft import Draft
from claude_proxy.wire import anthropic
from claude_proxy.wire.anthropic import CacheControl

MAX_BREAKPOINTS = 4

_Cacheable = (
    anthropic.TextBlock
    | anthropic.ImageBlock
    | anthropic.DocumentBlock
    | anthropic.ToolUseBlock
    | anthropic.ToolResultBlock
)


def translate_caching(draft: Draft) -> None:
    tools = sum(1 for tool in draft.body.tools or () if isinstance(tool, anthropic.Tool) and tool.cache_control)
    blocks = list(_marked(draft.body))
    for block in blocks[: max(0, len(blocks) + tools - MAX_BREAKPOINTS)]:
        block.cache_control = None
        draft.note("changed", "messages", f"only the last {MAX_BREAKPOINTS} cache breakpoints were sent")
    blocks = [block for block in blocks if block.cache_control]
    _order_times(blocks)
    draft.body.cache_control = _automatic(draft, blocks, tools)


def _marked(body: anthropic.MessagesRequest) -> Iterator[_Cacheable]:
    for block in body.system or ():
        if block.cache_control:
            yield block
    for message in body.messages:
        for item in message.content:
            if isinstance(item, _Cacheable) and item.cache_control:
                yield item


def _order_times(blocks: list[_Cacheable]) -> None:
    short_seen = False
    for block in blocks:
        if block.cache_control and block.cache_control.ttl == "1h" and short_seen:
            block.cache_control = CacheControl()
        elif block.cache_control and block.cache_control.ttl != "1h":
            short_seen = True


def _automatic(draft: Draft, blocks: list[_Cacheable], tools: int) -> CacheControl | None:
    chat = draft.chat
    asked = CacheControl(chat.cache_control.ttl) if chat.cache_control else None
    options = chat.prompt_cache_options
    if asked is None and (not draft.options.prompt_caching or (options and options.mode == "explicit")):
        return None
    if len(blocks) + tools >= MAX_BREAKPOINTS:
        return None
    hour = (options and options.ttl) or chat.prompt_cache_retention == "24h"
    control = asked or CacheControl("1h" if hour else None)
    last = draft.body.messages[-1].content[-1]
    if isinstance(last, _Cacheable) and last.cache_control and last.cache_control.ttl != control.ttl:
        return None
    if control.ttl == "1h" and any(block.cache_control and block.cache_control.ttl != "1h" for block in blocks):
        return msgspec.structs.replace(control, ttl=None)
    return control
