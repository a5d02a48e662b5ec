"""Rules for cache_control: number of breakpoints, allowed blocks, order of lifetimes."""

from collections.abc import Iterator

from claude_proxy.simulator.api_error import invalid
from claude_proxy.simulator.valid_request import Block, Request, blocks

_MAX = 4
_ORDER = "Note that blocks are processed in the following order: `tools`, `system`, `messages`."


def check(request: Request) -> None:
    marked = [(param, block) for param, block in _cacheable(request) if block.get("cache_control")]
    for param, block in marked:
        if block.get("type") == "text" and not block["text"]:
            raise invalid(f"{param}.cache_control: cache_control cannot be set for empty text blocks")
    automatic = request.body.get("cache_control")
    number = len(marked) + (1 if automatic else 0)
    if number > _MAX:
        raise invalid(f"A maximum of {_MAX} blocks with cache_control may be provided. Found {number}.")
    short = False
    for param, block in marked:
        if _ttl(block) == "5m":
            short = True
        elif short:
            what = "a ttl='1h' cache_control block must not come after a ttl='5m' cache_control block"
            raise invalid(f"{param}.cache_control.ttl: {what}. {_ORDER}")
    if automatic:
        _automatic(request, automatic.get("ttl", "5m"))


def _automatic(request: Request, ttl: str) -> None:
    row = [block for _, block in _cacheable(request)]
    if row and row[-1].get("cache_control") and _ttl(row[-1]) != ttl:
        what = f"but the target block already has cache_control with ttl='{_ttl(row[-1])}'"
        raise invalid(f"Top-level cache_control has ttl='{ttl}' {what}")


def _ttl(block: Block) -> str:
    ttl: str = block["cache_control"].get("ttl", "5m")
    return ttl


def _cacheable(request: Request) -> Iterator[tuple[str, Block]]:
    """Every block that may carry a breakpoint, in cache order; includes the blocks inside tool results."""
    for number, tool in enumerate(request.tools):
        yield f"tools.{number}", tool
    for number, block in enumerate(blocks({"content": request.body.get("system")})):
        yield f"system.{number}", block
    for number, message in enumerate(request.messages):
        for index, block in enumerate(blocks(message)):
            param = f"messages.{number}.content.{index}"
            if block["type"] == "tool_result":
                for inner_place, inner in enumerate(blocks(block)):
                    yield f"{param}.content.{inner_place}", inner
            yield param, block
