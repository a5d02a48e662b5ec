"""Memory of signed thinking across tool turns, for clients that cannot send it back.

Upstream wants the thinking of a tool turn back unchanged, but a plain OpenAI client keeps only text and calls. The
blocks such a client cannot keep are remembered here under the ids of the turn's calls, and are put back when the turn
returns: only for the same model, the same calls, and, where a model binds thinking to its prefix, behind the same
prefix. Leaving them out is always allowed, so in doubt they are left out.
"""

import hashlib
import re
from collections import OrderedDict
from dataclasses import dataclass

import msgspec
from msgspec import Raw

from claude_proxy.wire import anthropic
from claude_proxy.wire.anthropic import Block, RedactedThinkingBlock, TextBlock, ThinkingBlock, ToolUseBlock

MAX_TURNS = 2_000
MAX_BYTES = 16 * 1024 * 1024

_BREAKPOINT = re.compile(rb',"cache_control":\{"type":"ephemeral"(?:,"ttl":"[^"]*")?\}')


class TextMarker:
    """Stands for the turn's text, which the client keeps itself."""


TEXT = TextMarker()

Part = TextMarker | str | ThinkingBlock | RedactedThinkingBlock | Raw  # str: the id of a call


@dataclass(frozen=True)
class RememberedTurn:
    """An assistant's turn with calls, as it has to go back: `parts` in order."""

    model: str
    prefix: bytes
    parts: tuple[Part, ...]
    calls: tuple[str, ...]
    text_length: int = 0  # in characters, for a turn whose text is among its parts

    @property
    def size(self) -> int:
        return sum(len(msgspec.json.encode(part)) for part in self.parts if not isinstance(part, TextMarker | str))


class _Typed(msgspec.Struct):
    type: str


_read_typed = msgspec.json.Decoder(_Typed).decode


def is_thinking(block: Block) -> bool:
    """Whether `block` is signed thinking, ours or put back as it came."""
    if isinstance(block, Raw):
        return _read_typed(block).type in ("thinking", "redacted_thinking")
    return isinstance(block, ThinkingBlock | RedactedThinkingBlock)


class ThinkingMemory:
    """An LRU cache of turns, bounded in number and in bytes."""

    def __init__(self, *, max_turns: int = MAX_TURNS, max_bytes: int = MAX_BYTES) -> None:
        self._turns: OrderedDict[str, RememberedTurn] = OrderedDict()  # by the id of the turn's first call
        self._bytes = 0
        self._max_turns = max_turns
        self._max_bytes = max_bytes

    def __len__(self) -> int:
        return len(self._turns)

    def remember(self, turn: RememberedTurn) -> None:
        if not turn.calls or turn.size > self._max_bytes:
            return
        self._forget(turn.calls[0])
        self._turns[turn.calls[0]] = turn
        self._bytes += turn.size
        while self._bytes > self._max_bytes or len(self._turns) > self._max_turns:
            self._forget(next(iter(self._turns)))

    def _forget(self, call: str) -> None:
        if (turn := self._turns.pop(call, None)) is not None:
            self._bytes -= turn.size

    def recall(self, call: str) -> RememberedTurn | None:
        """The turn whose first call is `call`."""
        if (turn := self._turns.get(call)) is not None:
            self._turns.move_to_end(call)
        return turn


def restore(body: anthropic.MessagesRequest, memory: ThinkingMemory, *, binds: bool) -> int:
    """Put remembered blocks back into the turns of `body` that lack them; how many turns that were.

    `binds` says that the model accepts thinking only behind the prefix it was made for.
    """
    restored = 0
    if not memory:
        return 0
    digest = Prefix(body) if binds else None
    for message in body.messages:
        if message.role == "assistant" and (turn := _find_turn(message, memory)) is not None:
            fits = turn.model == body.model and (digest is None or digest.value() == turn.prefix)
            if fits and (blocks := _rebuild(message.content, turn)) is not None:
                message.content = blocks
                restored += 1
        if digest is not None:
            digest.add(message)
    return restored


def _find_turn(message: anthropic.Message, memory: ThinkingMemory) -> RememberedTurn | None:
    calls = [block.id for block in message.content if isinstance(block, ToolUseBlock)]
    thinks = any(is_thinking(block) for block in message.content)
    turn = memory.recall(calls[0]) if calls and not thinks else None
    return turn if turn is not None and turn.calls == tuple(calls) else None


def _rebuild(blocks: list[Block], turn: RememberedTurn) -> list[Block] | None:
    calls = {block.id: block for block in blocks if isinstance(block, ToolUseBlock)}
    texts = [block for block in blocks if isinstance(block, TextBlock)]
    if all(isinstance(part, Raw) for part in turn.parts):
        # More text than the turn had means that the client merged it with another turn, whose text would be lost.
        whole = sum(len(block.text) for block in texts) <= turn.text_length
        return list[Block](part for part in turn.parts if isinstance(part, Raw)) if whole else None
    rebuilt: list[Block] = []
    for part in turn.parts:
        match part:
            case TextMarker():
                rebuilt += texts
                texts = []
            case str():
                rebuilt.append(calls[part])
            case block:
                rebuilt.append(block)
    return None if texts else rebuilt


class Prefix:
    """A digest of what stands before an answer: system, tools and the messages, cache breakpoints left out."""

    def __init__(self, body: anthropic.MessagesRequest) -> None:
        self._hash = hashlib.blake2b(digest_size=16)
        self._update(body.system)
        self._update(body.tools)

    def _update(self, value: object) -> None:
        self._hash.update(_BREAKPOINT.sub(b"", msgspec.json.encode(value)))

    def add(self, message: anthropic.Message) -> None:
        self._update(message)

    def value(self) -> bytes:
        return self._hash.digest()


def prefix_of(body: anthropic.MessagesRequest) -> bytes:
    """The digest of the whole of `body`: what an answer to it is bound to."""
    prefix = Prefix(body)
    for message in body.messages:
        prefix.add(message)
    return prefix.value()
