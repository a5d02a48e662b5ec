"""The replies of the benchmark's upstream, rendered once: streams as the real API sends them, token by token."""

import json
from collections.abc import Iterator
from functools import cache

MODEL = "claude-haiku-4-5"
TOOL = "write_file"

_GATHERED = 16 * 1024

# Some need escapes, some are not ASCII: as in real text.
_WORDS = (" the", " of", " light", '"', "\n\n", " scatter", "ing", " blau", " größer", " 空", " is", ".", " `x`", "\\n")
_JSON_PIECES = ('{"pa', 'th": "', "a", "b", "c.", "txt", '", "con', 'tent": "', *("line\\n", "x = ", "1") * 3)


def tokens(kind: str, count: int) -> list[str]:
    """The pieces of a reply of `kind` (text, thinking or tool), `count` of them."""
    if kind != "tool":
        return [_WORDS[index * 7 % len(_WORDS)] for index in range(count)]
    pieces = [_JSON_PIECES[index] if index < 8 else _JSON_PIECES[8 + index % 9] for index in range(count - 1)]
    return [*pieces, '"}']


@cache
def stream(kind: str, count: int) -> tuple[bytes, ...]:
    """Every event of a streamed reply, each framed as one chunk of HTTP's chunked coding; the last ends the body."""
    return (*map(chunk, _events(kind, count)), b"0\r\n\r\n")


@cache
def coalesced(count: int) -> bytes:
    """A streamed text reply from an upstream that coalesces its writes: chunks of about 16 KB."""
    gathered: list[bytes] = []
    waiting = b""
    for event in _events("text", count):
        waiting += event
        if len(waiting) > _GATHERED:
            gathered.append(chunk(waiting))
            waiting = b""
    return b"".join([*gathered, chunk(waiting) if waiting else b"", b"0\r\n\r\n"])


@cache
def whole(count: int) -> bytes:
    """The body of a reply that is not streamed."""
    text = "".join(tokens("text", count))
    message = _message() | {"content": [{"type": "text", "text": text}], "stop_reason": "end_turn"}
    return json.dumps(message | {"usage": _USAGE | {"output_tokens": count}}, separators=(",", ":")).encode()


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


def timed_delta(now: int) -> bytes:
    """A text delta with its sending time in monotonic nanoseconds, a clock that all processes of a machine share."""
    return chunk(
        b'event: content_block_delta\ndata: {"type":"content_block_delta","index":0,"delta":'
        b'{"type":"text_delta","text":" @%019d"} }\n\n' % now
    )


_USAGE = {"input_tokens": 12, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 0}


def _message() -> dict[str, object]:
    identity = {"id": "msg_bench", "type": "message", "role": "assistant", "model": MODEL, "content": []}
    return identity | {"stop_reason": None, "stop_sequence": None, "usage": _USAGE | {"output_tokens": 1}}


def opening(kind: str) -> Iterator[bytes]:
    """The events before the first delta."""
    blocks: dict[str, dict[str, object]] = {
        "text": {"type": "text", "text": ""},
        "thinking": {"type": "thinking", "thinking": "", "signature": ""},
        "tool": {"type": "tool_use", "id": "toolu_bench", "name": TOOL, "input": {}},
    }
    yield _event("message_start", 0, message=_message())
    yield _event("content_block_start", 1, index=0, content_block=blocks[kind])
    yield _event("ping", 0)


def closing(kind: str, count: int) -> Iterator[bytes]:
    """The events after the last delta."""
    yield _event("content_block_stop", 2, index=0)
    reason = "tool_use" if kind == "tool" else "end_turn"
    yield _event("message_delta", 3, delta={"stop_reason": reason}, usage={"output_tokens": count})
    yield _event("message_stop", 4)


def _events(kind: str, count: int) -> Iterator[bytes]:
    name, field = {
        "text": ("text_delta", "text"),
        "thinking": ("thinking_delta", "thinking"),
        "tool": ("input_json_delta", "partial_json"),
    }[kind]
    yield from opening(kind)
    for number, token in enumerate(tokens(kind, count)):
        yield _event("content_block_delta", number, index=0, delta={"type": name, field: token})
    if kind == "thinking":
        yield _event("content_block_delta", 0, index=0, delta={"type": "signature_delta", "signature": "c2ln" * 40})
    yield from closing(kind, count)


def _event(name: str, number: int, **fields: object) -> bytes:
    data = json.dumps({"type": name, **fields}, separators=(",", ":"), ensure_ascii=False)
    padding = " " * (number * 7 % 13)  # the real API pads its data lines
    return f"event: {name}\ndata: {data}{padding}\n\n".encode()
