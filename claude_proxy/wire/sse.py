"""Server-sent events, both directions, without I/O.

The decoder keeps the bytes of an unfinished line, the data of an unfinished event, and whether the last read
ended in `\\r`. Rules (WHATWG HTML standard, 9.2.6 "Interpreting an event stream"): lines end with `\\n`, `\\r\\n`
or `\\r`; a leading byte order mark is dropped; a line that starts with `:` is a comment; one space after the
colon belongs to the syntax; several `data` lines join with `\\n`; a blank line dispatches; an event without data
does not exist; what stands unfinished at the end of the stream is not an event.
"""

from collections.abc import Iterator

from claude_proxy.errors import UpstreamDisconnected

# An Anthropic event holds at most one content block; a server tool's result has been seen at some MB.
MAX_EVENT = 32 * 1024 * 1024

_BOM = b"\xef\xbb\xbf"


class EventDecoder:
    """Turns the bytes of a stream into the `data` of its events; event names and ids are not kept.

    Anthropic repeats the name as `type` inside the data, so the data is enough.
    """

    def __init__(self, *, limit: int = MAX_EVENT) -> None:
        self._limit = limit
        self._rest = b""  # the line that has no end yet
        self._data: list[bytes] = []  # the data lines of the event that has no end yet
        self._size = 0
        self._begun = False
        self._after_cr = False

    def feed(self, data: bytes) -> list[bytes]:
        """The data of each event that `data` completes. Raises UpstreamDisconnected past the bound."""
        return list(self._events(data))

    def _events(self, data: bytes) -> Iterator[bytes]:
        if not data:
            return
        if self._after_cr and data[:1] == b"\n":  # the other half of a `\r\n` that was cut in two
            data = data[1:]
            self._after_cr = False
            if not data:
                return
        text = self._rest + data if self._rest else data
        if not self._begun:
            if len(text) < len(_BOM) and _BOM.startswith(text):
                self._rest = text
                return
            self._begun = True
            text = text.removeprefix(_BOM)
        self._after_cr = text.endswith(b"\r")
        if b"\r" in text:
            text = text.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        *lines, self._rest = text.split(b"\n")
        if len(self._rest) > self._limit:
            raise UpstreamDisconnected("upstream sent an event that is too large")
        for line in lines:
            if line.startswith(b"data:"):
                self._append(line[6:] if line[5:6] == b" " else line[5:])
            elif line == b"data":
                self._append(b"")
            elif not line and self._data:
                yield self._data[0] if len(self._data) == 1 else b"\n".join(self._data)
                self._data = []
                self._size = 0

    def _append(self, line: bytes) -> None:
        self._size += len(line)
        if self._size > self._limit:
            raise UpstreamDisconnected("upstream sent an event that is too large")
        self._data.append(line)


def data_frame(payload: bytes) -> bytes:
    """One event that carries `payload`, which holds no line end (JSON never does)."""
    return b"data: " + payload + b"\n\n"


DONE = data_frame(b"[DONE]")
COMMENT = b": ping\n\n"
