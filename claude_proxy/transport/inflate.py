"""Bounded decompression: a small compressed body may expand a thousandfold, so it is inflated part by part."""

import zlib

from claude_proxy.errors import UpstreamDisconnected

MAX_PART = 64 * 1024


class Inflater:
    """Decompresses a gzip or zlib body into parts of at most MAX_PART bytes, each when the reader asks for it."""

    def __init__(self) -> None:
        self._decompressor = zlib.decompressobj(wbits=32 + zlib.MAX_WBITS)  # detects which of both it is
        self._input = b""
        self._output_pending = False
        self._empty = True

    @property
    def needs_input(self) -> bool:
        return not self._input and not self._output_pending

    @property
    def is_complete(self) -> bool:
        """Whether the compressed body has come to its end. No data at all is an empty body."""
        return self._empty or self._decompressor.eof

    def put(self, data: bytes) -> None:
        """Give it the next compressed bytes. Only when it needs input."""
        self._input = data
        self._empty = False

    def next_part(self) -> bytes:
        """The next part; empty if it needs input first. Raises UpstreamDisconnected for data that is broken."""
        if self._decompressor.eof:  # bytes after the end are ignored
            self._input, self._output_pending = b"", False
            return b""
        try:
            part = self._decompressor.decompress(self._input, MAX_PART)
        except zlib.error as exc:
            raise UpstreamDisconnected("upstream sent a compressed body that is broken") from exc
        self._input = self._decompressor.unconsumed_tail
        self._output_pending = len(part) == MAX_PART  # zlib may hold more output, also without more input
        return part
