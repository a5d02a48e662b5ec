"""Encodes an answer as one message, or as the events of a stream.

Events look like the real API's: an `event` line and a `data` line padded with spaces, a ping after the first block
has started, a first empty fragment of every tool input, cumulative usage in `message_delta`.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import msgspec

from claude_proxy.simulator.api_error import TYPES, ApiError
from claude_proxy.simulator.composer import Answer, AnswerBlock, StreamAction
from claude_proxy.simulator.prompt_cache import InputUsage
from claude_proxy.simulator.valid_request import Request

_STATUSES = {name: status for status, name in sorted(TYPES.items(), reverse=True)}


@dataclass(frozen=True)
class Frame:
    """Bytes to send; `tokens` is the number of output tokens in them, used for pacing."""

    data: bytes
    tokens: int = 0


@dataclass(frozen=True)
class Fault:
    """The stream ends early: `cut` closes the connection, `stall` sends nothing more."""

    action: str


def usage(answer: Answer, billed: InputUsage, request: Request) -> dict[str, Any]:
    """The usage of a whole message."""
    return {
        "input_tokens": billed.fresh,
        "cache_creation_input_tokens": billed.written,
        "cache_read_input_tokens": billed.read,
        "cache_creation": {
            "ephemeral_5m_input_tokens": billed.written_5m,
            "ephemeral_1h_input_tokens": billed.written_1h,
        },
        "output_tokens": answer.output_tokens,
        "output_tokens_details": {"thinking_tokens": answer.thinking_tokens},
        "server_tool_use": _server_tool_use(answer),
        "service_tier": "standard",
        "speed": request.body.get("speed") or "standard",
    }


def _server_tool_use(answer: Answer) -> dict[str, int] | None:
    return {"web_search_requests": answer.searches, "web_fetch_requests": 0} if answer.searches else None


def message(answer: Answer, billed: InputUsage, request: Request) -> dict[str, Any]:
    """The answer as the body of a response that does not stream."""
    return {
        "id": answer.id,
        "type": "message",
        "role": "assistant",
        "model": answer.model,
        "content": [block.whole for block in answer.blocks],
        "stop_reason": answer.stop_reason,
        "stop_sequence": answer.stop_sequence,
        "stop_details": answer.stop_details,
        "usage": usage(answer, billed, request),
    } | _transformations(request)


def _transformations(request: Request) -> dict[str, Any]:
    return {"input_transformations": request.dropped} if request.dropped else {}


def error_of(action: StreamAction) -> ApiError:
    """The error that `/simulate error TYPE [MESSAGE]` asks for."""
    name, _, text = action.text.partition(" ")
    name = name or "overloaded_error"
    default = "Overloaded" if name == "overloaded_error" else "Internal server error"
    return ApiError(_STATUSES.get(name, 500), text or default, type=name)


def events(answer: Answer, billed: InputUsage, request: Request, request_id: str) -> Iterator[Frame | Fault]:
    """The stream, event by event. After a Fault or an error event nothing follows."""
    encode = _Encoder(answer.crlf)
    started = message(answer, billed, request) | {"content": [], "stop_reason": None, "stop_sequence": None}
    started["stop_details"] = None
    started["usage"] = started["usage"] | {"output_tokens": min(1, answer.output_tokens)}
    del started["usage"]["output_tokens_details"]
    opening = encode({"type": "message_start", "message": started})
    yield opening
    index = 0
    for step in answer.steps:
        if isinstance(step, AnswerBlock):
            yield from _block(encode, index, step)
            index += 1
            continue
        match step.action:
            case "ping":
                yield encode({"type": "ping"})
            case "restart":
                yield opening
            case "unknown-event":
                yield from _unknown(encode, index)
                index += 1
            case "error":
                yield encode(error_of(step).value(request_id))
                return
            case fault:
                yield Fault(fault)
                return
    yield encode(_message_delta(answer, billed, request))
    yield encode({"type": "message_stop"})


def _block(encode: "_Encoder", index: int, block: AnswerBlock) -> Iterator[Frame]:
    yield encode({"type": "content_block_start", "index": index, "content_block": block.start})
    if index == 0:
        yield encode({"type": "ping"})
    for delta in block.deltas:
        yield encode({"type": "content_block_delta", "index": index, "delta": delta.value}, delta.tokens)
    yield encode({"type": "content_block_stop", "index": index})


def _unknown(encode: "_Encoder", index: int) -> Iterator[Frame]:
    """Events of types that do not exist yet, as a future API version may send them."""
    yield encode({"type": "simulated_future_event", "payload": {"anything": [1, None]}})
    yield encode({"type": "content_block_start", "index": index, "content_block": {"type": "simulated_future_block"}})
    delta = {"type": "simulated_future_delta", "value": 1}
    yield encode({"type": "content_block_delta", "index": index, "delta": delta})
    yield encode({"type": "content_block_stop", "index": index})


def _message_delta(answer: Answer, billed: InputUsage, request: Request) -> dict[str, Any]:
    counted = usage(answer, billed, request)
    names = (
        "input_tokens",
        "cache_creation_input_tokens",
        "cache_read_input_tokens",
        "output_tokens",
        "output_tokens_details",
        "server_tool_use",
    )
    end = {
        "stop_reason": answer.stop_reason,
        "stop_sequence": answer.stop_sequence,
        "stop_details": answer.stop_details,
    }
    event = {"type": "message_delta", "delta": end, "usage": {name: counted[name] for name in names}}
    return event | _transformations(request)


class _Encoder:
    """Frames events. The real API pads data lines with spaces; here the padding depends only on the event's number."""

    def __init__(self, crlf: bool) -> None:
        self._end = b"\r\n" if crlf else b"\n"
        self._count = 0

    def __call__(self, event: dict[str, Any], tokens: int = 0) -> Frame:
        self._count += 1
        padding = b" " * (self._count * 7 % 13)
        data = msgspec.json.encode(event) + padding
        name = event["type"].encode()
        return Frame(b"event: " + name + self._end + b"data: " + data + self._end + self._end, tokens)
