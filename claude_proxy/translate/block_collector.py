"""Keeps the content blocks of a reply whole, for messages that must go back to upstream exactly as they came.

That is the case after `pause_turn`, and for tool turns with blocks that no OpenAI client can keep (thinking, server
tools). Only replies that may hold such blocks are collected.
"""

import msgspec
from msgspec import Raw, Struct

from claude_proxy.wire.delta_batches import DeltaKind

# Results of server tools have been seen at some MB each. Past this bound nothing is kept: a reply that pauses is then
# ended as it stands, and its thinking is not remembered.
MAX_SIZE = 64 * 1024 * 1024

JsonObject = dict[str, object]

_read = msgspec.json.Decoder(JsonObject).decode
_FIELD: dict[DeltaKind, str] = {"text": "text", "thinking": "thinking"}


class _DeltaWithCitation(Struct):
    citation: Raw


class _EventWithCitation(Struct):
    delta: _DeltaWithCitation


class _EventWithBlock(Struct):
    content_block: Raw


_read_citation = msgspec.json.Decoder(_EventWithCitation).decode
_read_block = msgspec.json.Decoder(_EventWithBlock).decode


class _Collected(Struct, eq=False):
    """A block as upstream began it, and the deltas since."""

    block: JsonObject
    texts: dict[DeltaKind, list[str]] = {}
    citations: list[Raw] = []


class BlockCollector:
    """Follows one reply up to its end or its next pause. Deltas of blocks that are not open are ignored."""

    def __init__(self) -> None:
        self.text_length = 0  # of all text blocks, in characters
        self._blocks: list[_Collected] = []
        self._open: dict[int, _Collected] = {}  # by the index that upstream gives them in the current message
        self._size = 0

    @property
    def overflowed(self) -> bool:
        return self._size > MAX_SIZE

    def start_message(self) -> None:
        """A further message begins; its blocks follow those that are here."""
        self._open = {}

    def start(self, index: int, data: bytes) -> None:
        """Take a `content_block_start` event."""
        self._open[index] = self.add(_read_block(data).content_block)

    def add(self, block: Raw) -> _Collected:
        """Take a block as it stands."""
        collected = _Collected(_read(block))
        self._size += len(block)
        self.text_length += len(str(collected.block.get("text") or ""))
        if not self.overflowed:
            self._blocks.append(collected)
        return collected

    def delta(self, index: int, kind: DeltaKind, text: str) -> None:
        """Take more of a block's text, thinking, or input as JSON."""
        if (collected := self._open.get(index)) is None:
            return
        self._size += len(text)
        if kind == "text":
            self.text_length += len(text)
        if not self.overflowed:
            collected.texts.setdefault(kind, []).append(text)

    def signature(self, index: int, signature: str) -> None:
        if (collected := self._open.get(index)) is not None:
            collected.block["signature"] = signature

    def citation(self, index: int, data: bytes) -> None:
        """Take a `citations_delta` event."""
        if (collected := self._open.get(index)) is not None:
            self._size += len(data)
            collected.citations.append(_read_citation(data).delta.citation)

    def blocks(self) -> list[Raw]:
        """The blocks so far, in order, as upstream takes them back; blank texts and cut inputs are left out."""
        whole = (_joined(collected) for collected in self._blocks)
        return [] if self.overflowed else [Raw(msgspec.json.encode(block)) for block in whole if block is not None]


def _joined(collected: _Collected) -> JsonObject | None:
    """The block with its deltas applied; None where upstream would refuse it."""
    block = dict(collected.block)
    for kind, field in _FIELD.items():
        if texts := collected.texts.get(kind):
            block[field] = "".join([str(block.get(field) or ""), *texts])
    if collected.citations:
        begun = block.get("citations")
        block["citations"] = [*(begun if isinstance(begun, list) else ()), *collected.citations]
    if joined := "".join(collected.texts.get("input_json", ())):
        try:
            _read(joined)
        except (msgspec.MsgspecError, RecursionError):
            return None
        block["input"] = Raw(joined.encode())
    if block.get("type") == "text" and not str(block.get("text", "")).strip():
        return None
    return block


def append_assistant_message(body: bytes, blocks: list[Raw]) -> bytes:
    """The request `body` with an assistant message of `blocks` behind its messages, to go on where the reply paused."""
    if not blocks:
        return body
    fields = msgspec.json.decode(body, type=dict[str, Raw])
    messages = msgspec.json.decode(fields["messages"], type=list[Raw])
    message = Raw(msgspec.json.encode({"role": "assistant", "content": blocks}))
    fields["messages"] = Raw(msgspec.json.encode([*messages, message]))
    return msgspec.json.encode(fields)
