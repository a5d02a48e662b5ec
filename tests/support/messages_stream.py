"""Streams of the Messages API, put together event by event."""

from typing import Any

import msgspec


def event(type_: str, **fields: object) -> bytes:
    """One event in the form that upstream uses."""
    return b"event: %b\ndata: %b\n\n" % (type_.encode(), msgspec.json.encode({"type": type_, **fields}))


def message_start(id_: str = "msg_1", *, content: list[Any] | None = None, **usage: Any) -> bytes:
    message = {"id": id_, "model": "claude-x", "usage": usage, "content": content or []}
    return event("message_start", message=message)


def block_start(index: int, **block: Any) -> bytes:
    return event("content_block_start", index=index, content_block=block)


def delta(index: int, **delta: Any) -> bytes:
    return event("content_block_delta", index=index, delta=delta)


def block_stop(index: int) -> bytes:
    return event("content_block_stop", index=index)


def text_block(index: int, *texts: str) -> bytes:
    deltas = b"".join(delta(index, type="text_delta", text=text) for text in texts)
    return block_start(index, type="text", text="") + deltas + block_stop(index)


def thinking_block(index: int, text: str, signature: str = "c2ln") -> bytes:
    return (
        block_start(index, type="thinking", thinking="", signature="")
        + delta(index, type="thinking_delta", thinking=text)
        + delta(index, type="signature_delta", signature=signature)
        + block_stop(index)
    )


def tool_block(index: int, *fragments: str, id_: str = "toolu_1", name: str = "look") -> bytes:
    deltas = b"".join(delta(index, type="input_json_delta", partial_json=fragment) for fragment in fragments)
    return block_start(index, type="tool_use", id=id_, name=name, input={}) + deltas + block_stop(index)


def message_end(reason: Any = "end_turn", details: Any = None, **usage: Any) -> bytes:
    stop = {"stop_reason": reason, "stop_details": details}
    return event("message_delta", delta=stop, usage=usage) + event("message_stop")
