"""The prompt cache: which prefix of a request was cached before, and the resulting usage counters.

A request is a row of segments: tools, system, messages, block by block. A breakpoint ends a prefix that is written;
a prefix that was written before is read, also when it ends up to 20 blocks before a breakpoint. Nothing is stored
but digests and counts. Entries do not expire with time: a simulation gives the same result at any time.
"""

import hashlib
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import msgspec

from claude_proxy.simulator.tokens import count_block, count_value
from claude_proxy.simulator.valid_request import Request, blocks

_LOOK_BACK = 20  # blocks; the API's own limit
_BOUND = 4096  # prefixes remembered
_OVERHEAD = 3  # tokens for a message's role


@dataclass
class Segment:
    """One tool, system block or content block; `prefix` is the digest of everything up to and including it."""

    prefix: bytes
    tokens: int
    ttl: str | None  # of its cache breakpoint, if it has one


@dataclass(frozen=True)
class InputUsage:
    """Input token counters of one request."""

    fresh: int
    read: int
    written_5m: int
    written_1h: int

    @property
    def written(self) -> int:
        return self.written_5m + self.written_1h


class PromptCache:
    """The cached prefixes of one simulator, in LRU order."""

    def __init__(self, bound: int = _BOUND) -> None:
        self._seen: OrderedDict[bytes, None] = OrderedDict()
        self._bound = bound

    def bill(self, request: Request) -> InputUsage:
        """The counters of `request`; its marked prefixes are cached from now on."""
        row = list(segments(request))
        total = sum(segment.tokens for segment in row)
        marked = [n for n, segment in enumerate(row) if segment.ttl]
        ends = [n for n in marked if _tokens(row, n) >= request.model.cacheable]
        read_to = self._cached_until(row, ends)
        read = _tokens(row, read_to)
        written = {"5m": 0, "1h": 0}
        start = read
        for end in ends:
            if (tokens := _tokens(row, end)) > start:
                written[row[end].ttl or "5m"] += tokens - start
                start = tokens
            self._remember(row[end].prefix)
        return InputUsage(total - start, read, written["5m"], written["1h"])

    def _cached_until(self, row: list[Segment], ends: list[int]) -> int:
        for end in reversed(ends):
            for index in range(end, max(end - _LOOK_BACK, 0) - 1, -1):
                if row[index].prefix in self._seen:
                    return index
        return -1

    def _remember(self, prefix: bytes) -> None:
        self._seen[prefix] = None
        self._seen.move_to_end(prefix)
        if len(self._seen) > self._bound:
            self._seen.popitem(last=False)


def _tokens(row: list[Segment], index: int) -> int:
    return sum(segment.tokens for segment in row[: index + 1])


def input_tokens(request: Request) -> int:
    """All tokens of the prompt, cached or not."""
    return sum(segment.tokens for segment in segments(request))


def segments(request: Request) -> Iterator[Segment]:
    """The prompt in cache order: tools, system, messages. Automatic caching marks the last block."""
    row = list(_segments(request))
    automatic = request.body.get("cache_control")
    if automatic and row and row[-1].ttl is None:
        row[-1].ttl = automatic.get("ttl", "5m")
    return iter(row)


def _segments(request: Request) -> Iterator[Segment]:
    body = request.body
    running = hashlib.sha256(request.model.id.encode())

    def segment(value: dict[str, Any], tokens: int) -> Segment:
        mark = value.get("cache_control")
        plain = {key: item for key, item in value.items() if key != "cache_control"}
        running.update(msgspec.json.encode(plain, order="deterministic"))
        return Segment(running.digest(), tokens, mark.get("ttl", "5m") if mark else None)

    for tool in request.tools:
        plain = {key: value for key, value in tool.items() if key != "cache_control"}
        yield segment(tool, count_value(plain))
    for block in blocks({"content": body.get("system")}):
        yield segment(block, count_block(block))
    # These settings invalidate cached messages, but not cached tools and system blocks.
    settings = {name: body.get(name) for name in ("thinking", "tool_choice", "output_config")}
    running.update(msgspec.json.encode(settings, order="deterministic"))
    for message in request.messages:
        running.update(message["role"].encode())
        extra = _OVERHEAD
        for block in blocks(message):
            yield segment(block, count_block(block) + extra)
            extra = 0
