"""Server-sent events, both directions, without I/O.

The decoder keeps the bytes of an unfinished line, the data of an unfinished event, and whether the last read
ended in `\\r`. Rules (WHATWG HTML standard, 9.2.6 "Interpreting an event stream"): lines end with `\\n`, `\\r\\n`
or `\\r`; a leading byte order mark is dropped; a line that starts with `:` is a comment; one space after the
colon belongs to the syntax; several `data` lines join with `\\n`; a blank line dispatches; an event without data
does not exist; what stands unfinished at the end of the stream is not an event.
"""

import re

from claude_proxy.errors import UpstreamDisconnected

# An Anthropic event holds at most one content block; a server tool's result has been seen at some MB.
MAX_EVENT = 32 * 1024 * 1024

_BOM = b"\xef\xbb\xbf"


class EventDecoder:
    """Turns the bytes of a stream into the `data` of its events; event names and ids are not kept.

    Anthropic repeats the name as `type` inside the data, so the data is enough. The cost is linear in the
    bytes, however small the reads are: an unfinished line is joined once, when its end has come.
    """

    def __init__(self, *, limit: int = MAX_EVENT) -> None:
        self._limit = limit
        self._line: list[bytes] = []  # the pieces of the line that has no end yet
        self._waiting = 0  # their size
        self._data: list[bytes] = []  # the data lines of the event that has no end yet
        self._size = 0  # their size, with a line end each
        self._head: bytes | None = b""  # what may still become a byte order mark; None once that is settled
        self._after_cr = False

    @property
    def between_events(self) -> bool:
        """Whether nothing is waiting for its end, so that the next event may be read by other means."""
        return not (self._line or self._data or self._after_cr or self._head)

    def passed_by(self) -> None:
        """An event was read by other means: what comes next is not the beginning of the stream."""
        self._head = None

    def feed(self, data: bytes) -> list[bytes]:
        """The data of each event that `data` completes. Raises UpstreamDisconnected past the bound."""
        text = self._normalised(data)
        if b"\n" not in text:
            self._keep(text)
            return []
        *lines, rest = b"".join((*self._line, text)).split(b"\n")
        self._line.clear()
        self._waiting = 0
        events: list[bytes] = []
        for line in lines:
            if line.startswith(b"data:"):
                self._append(line[6:] if line[5:6] == b" " else line[5:])
            elif line == b"data":
                self._append(b"")
            elif not line and self._data:
                events.append(self._data[0] if len(self._data) == 1 else b"\n".join(self._data))
                self._data.clear()
                self._size = 0
        self._keep(rest)
        return events

    def _normalised(self, data: bytes) -> bytes:
        """`data` with `\n` as its only line end, and without the byte order mark at the stream's start."""
        if self._after_cr and data:  # what follows may be the other half of a `\r\n` that was cut in two
            self._after_cr = False
            data = data.removeprefix(b"\n")
        if self._head is not None:
            data = self._head + data
            undecided = len(data) < len(_BOM) and _BOM.startswith(data)
            self._head = data if undecided else None
            data = b"" if undecided else data.removeprefix(_BOM)
        if b"\r" in data:
            self._after_cr = data.endswith(b"\r")
            data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        return data

    def _keep(self, piece: bytes) -> None:
        if piece:
            self._line.append(piece)
            self._waiting += len(piece)
            self._check()

    def _append(self, line: bytes) -> None:
        self._data.append(line)
        self._size += len(line) + 1
        self._check()

    def _check(self) -> None:
        if self._size + self._waiting > self._limit:
            raise UpstreamDisconnected("upstream sent an event that is too large")


# Finds one event at a place, if it has the usual form there: a name, one line of data, a blank line. Its first group is
# what EventDecoder would find, at a sixth of the cost, in bytes without `\r`: to look for that as well, here, would
# cost as much as the decoder.
match_event = re.compile(rb"event: .*+\ndata: (.*+)\n\n").match


def data_frame(payload: bytes) -> bytes:
    """One event that carries `payload`, which holds no line end (JSON never does)."""
    return b"data: " + payload + b"\n\n"


DONE = data_frame(b"[DONE]")
COMMENT = b": ping\n\n"
