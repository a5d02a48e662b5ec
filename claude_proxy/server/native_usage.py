"""What a passing Messages reply has cost: read from its first and last events, while its bytes go on unchanged.

A stream says its input at its beginning (`message_start`) and the rest at its end (`message_delta`). So only the first
and the last bytes are kept, without a copy, and nothing is parsed before the stream has ended.
"""

from collections import deque

import msgspec
from msgspec import Struct

from claude_proxy.errors import UpstreamDisconnected
from claude_proxy.wire import anthropic
from claude_proxy.wire.anthropic import ErrorDetail, Event, Usage
from claude_proxy.wire.sse import EventDecoder

HEAD = 16 * 1024  # bytes; the first event is below 1 KB
TAIL = 16 * 1024  # the last two events together are below 2 KB


class Seen(Struct):
    """What a reply has told about itself; None where it has not."""

    model: str | None = None
    usage: Usage | None = None
    error: ErrorDetail | None = None  # of an error event


class StreamWatcher:
    """Keeps the beginning and the end of a stream that passes through `feed`."""

    def __init__(self) -> None:
        self._head = b""
        self._in_head = True
        self._tail: deque[bytes] = deque()
        self._tail_size = 0

    def feed(self, data: bytes) -> bytes:
        """Returns `data`, unchanged."""
        if self._in_head:
            self._head += data[:HEAD]
            self._in_head = len(self._head) < HEAD and b"\n\n" not in self._head
        tail = self._tail
        tail.append(data)
        self._tail_size += len(data)
        while self._tail_size - len(tail[0]) >= TAIL:
            self._tail_size -= len(tail.popleft())
        return data

    def seen(self) -> Seen:
        """What the stream has told so far."""
        seen = Seen()
        for event in [*_events(self._head)[:1], *_events(b"".join(self._tail)[-TAIL:])]:
            _take(event, seen)
        return seen


def _take(event: Event, seen: Seen) -> None:
    match event.type:
        case "message_start" if event.message is not None and seen.usage is None:
            seen.model, seen.usage = event.message.model or None, event.message.usage
        case "message_delta" if event.usage is not None:
            seen.usage = _updated(seen.usage, event.usage)
        case "error":
            seen.error = event.error


def _updated(before: Usage | None, later: Usage) -> Usage:
    """Counters are cumulative: later ones replace earlier ones, absent ones keep them."""
    if before is None:
        return later
    told = {name: value for name in Usage.__struct_fields__ if (value := getattr(later, name)) is not None}
    return msgspec.structs.replace(before, **told)


def _events(data: bytes) -> list[Event]:
    """The events in `data` that concern the whole message. It may begin in the middle of one."""
    try:
        found = EventDecoder().feed(data)
    except UpstreamDisconnected:
        return []
    events: list[Event] = []
    for each in found:
        if b'"message_' in each or b'"error"' in each:
            try:
                event = anthropic.read_event(each)
            except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
                continue
            if event is not None:
                events.append(event)
    return events


class _Message(Struct):
    model: str | None = None
    usage: Usage | None = None


_read_message = msgspec.json.Decoder(_Message).decode


def seen_in(body: bytes) -> Seen:
    """What a reply in one body tells about itself."""
    try:
        message = _read_message(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return Seen()
    return Seen(message.model, message.usage)
