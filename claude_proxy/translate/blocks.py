"""The content blocks of an answer, gathered whole, for the turns that must go back to upstream as they came.

That is so after `pause_turn`, and for tool turns that hold blocks no OpenAI client can keep (thinking, server
tools). Only answers that may hold such blocks are gathered.
"""

import msgspec
from msgspec import Raw

JsonObject = dict[str, object]

_read = msgspec.json.Decoder(dict[str, object]).decode


class BlockCollector:
    """Follows a stream's events and keeps its blocks, deltas applied."""

    def __init__(self) -> None:
        self._blocks: list[JsonObject] = []
        self._open: dict[int, JsonObject] = {}  # by the index that this message gives them
        self._inputs: dict[int, list[str]] = {}  # by the id() of their block, which lives as long

    def feed(self, data: bytes) -> None:
        """Take the data of one event, which is JSON. Events that are no block's are ignored."""
        match _read(data):
            case {"type": "message_start"}:  # a second message goes on where the first one was left
                self._open = {}
            case {"type": "content_block_start", "index": int(index), "content_block": dict() as block}:
                known = self._open.get(index)
                if known is None or known.get("id") is None or known.get("id") != block.get("id"):
                    self._open[index] = dict(block)
                    self._blocks.append(self._open[index])
            case {"type": "content_block_delta", "index": int(index), "delta": dict() as delta} if index in self._open:
                self._apply(self._open[index], delta)

    def _apply(self, block: JsonObject, delta: JsonObject) -> None:
        match delta:
            case {"type": "text_delta", "text": str(text)}:
                block["text"] = f"{block.get('text', '')}{text}"
            case {"type": "thinking_delta", "thinking": str(text)}:
                block["thinking"] = f"{block.get('thinking', '')}{text}"
            case {"type": "signature_delta", "signature": str(text)}:
                block["signature"] = text
            case {"type": "input_json_delta", "partial_json": str(text)}:
                self._inputs.setdefault(id(block), []).append(text)
            case {"type": "citations_delta", "citation": dict() as citation}:
                known = block.get("citations")
                block["citations"] = [*(known if isinstance(known, list) else ()), citation]

    def blocks(self) -> list[Raw]:
        """The blocks so far, in order, as upstream takes them back; empty texts and cut inputs are left out."""
        kept = []
        for block in self._blocks:
            if joined := "".join(self._inputs.get(id(block), ())):
                try:
                    _read(joined)
                except msgspec.MsgspecError:
                    continue
                block = {**block, "input": Raw(joined.encode())}  # noqa: PLW2901 - the same block, whole
            if block.get("type") == "text" and not str(block.get("text", "")).strip():
                continue
            kept.append(Raw(msgspec.json.encode(block)))
        return kept


def continued(body: bytes, blocks: list[Raw]) -> bytes:
    """The request `body` with an assistant's turn of `blocks` after its messages, to go on where it paused."""
    if not blocks:
        return body
    fields = msgspec.json.decode(body, type=dict[str, Raw])
    messages = msgspec.json.decode(fields["messages"], type=list[Raw])
    turn = Raw(msgspec.json.encode({"role": "assistant", "content": blocks}))
    fields["messages"] = Raw(msgspec.json.encode([*messages, turn]))
    return msgspec.json.encode(fields)
