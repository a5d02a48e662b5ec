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
        self._blocks: dict[int, JsonObject] = {}
        self._inputs: dict[int, list[str]] = {}

    def feed(self, data: bytes) -> None:
        """Take the data of one event. Events that are no block's are ignored."""
        event = _read(data)
        index = event.get("index")
        if not isinstance(index, int):
            return
        match event:
            case {"type": "content_block_start", "content_block": dict() as block}:
                self._blocks[index] = dict(block)
            case {"type": "content_block_delta", "delta": dict() as delta} if index in self._blocks:
                self._apply(index, self._blocks[index], delta)

    def _apply(self, index: int, block: JsonObject, delta: JsonObject) -> None:
        match delta:
            case {"type": "text_delta", "text": str(text)}:
                block["text"] = f"{block.get('text', '')}{text}"
            case {"type": "thinking_delta", "thinking": str(text)}:
                block["thinking"] = f"{block.get('thinking', '')}{text}"
            case {"type": "signature_delta", "signature": str(text)}:
                block["signature"] = text
            case {"type": "input_json_delta", "partial_json": str(text)}:
                self._inputs.setdefault(index, []).append(text)
            case {"type": "citations_delta", "citation": dict() as citation}:
                known = block.get("citations")
                block["citations"] = [*(known if isinstance(known, list) else ()), citation]

    def blocks(self) -> list[Raw]:
        """The blocks so far, in order, as upstream takes them back; empty texts are left out."""
        kept = []
        for index in sorted(self._blocks):
            block = dict(self._blocks[index])
            if joined := "".join(self._inputs.get(index, ())):
                try:
                    block["input"] = Raw(joined.encode()) if _read(joined) is not None else {}
                except msgspec.MsgspecError:
                    continue  # cut in the middle: it cannot go back
            if block.get("type") == "text" and not str(block.get("text", "")).strip():
                continue
            kept.append(Raw(msgspec.json.encode(block)))
        return kept


def continued(body: bytes, blocks: list[Raw]) -> bytes:
    """The request `body` with an assistant's turn of `blocks` after its messages, to go on where it paused."""
    fields = msgspec.json.decode(body, type=dict[str, Raw])
    messages = msgspec.json.decode(fields["messages"], type=list[Raw])
    turn = Raw(msgspec.json.encode({"role": "assistant", "content": blocks}))
    fields["messages"] = Raw(msgspec.json.encode([*messages, turn]))
    return msgspec.json.encode(fields)
