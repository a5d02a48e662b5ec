"""Reading a request's body: bounded in size and in time, one by one and all together."""

import asyncio
import zlib
from collections import deque

from aiohttp import web
from multidict import CIMultiDict, CIMultiDictProxy

from claude_proxy.errors import InvalidRequest, PayloadTooLarge

BODY_DEADLINE = 120.0  # enough for 32 MB over a slow tunnel
_GZIP = ("gzip", "x-gzip")
_GZIP_FORMAT = 16 + zlib.MAX_WBITS


class BodyBudget:
    """A bound on the bytes of all bodies held at the same time; 0 sets no limit.

    Requests wait for their share in the order in which they came. A single body is let in however large it is.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._waiting: deque[tuple[asyncio.Future[None], int]] = deque()
        self.used = 0

    async def take(self, size: int) -> None:
        """Wait until `size` bytes are free, and take them."""
        if not self._waiting and self._fits(size):
            self.used += size
            return
        free = asyncio.get_running_loop().create_future()
        self._waiting.append((free, size))
        try:
            await free
        except asyncio.CancelledError:
            if free.done() and not free.cancelled():  # its share was taken for it in the same iteration of the loop
                self.give_back(size)
            else:
                self._waiting.remove((free, size))
                self._admit()
            raise

    def give_back(self, size: int) -> None:
        self.used -= size
        self._admit()

    def _fits(self, size: int) -> bool:
        return not self._limit or not self.used or self.used + size <= self._limit

    def _admit(self) -> None:
        while self._waiting:
            free, size = self._waiting[0]
            if not free.cancelled():
                if not self._fits(size):
                    return
                self.used += size
                free.set_result(None)
            self._waiting.popleft()


BUDGET = web.AppKey("budget", BodyBudget)


def content_coding(headers: CIMultiDict[str] | CIMultiDictProxy[str]) -> str | None:
    """How a body with these headers is coded: `identity` or `gzip`; None if it cannot be decoded here."""
    if "Content-Encoding" not in headers:  # nearly always
        return "identity"
    names = [name.strip().lower() for value in headers.getall("Content-Encoding") for name in value.split(",")]
    codings = [name for name in names if name not in ("", "identity")]
    if not codings:
        return "identity"
    return "gzip" if len(codings) == 1 and codings[0] in _GZIP else None


def largest_size(request: web.Request, limit: int) -> int:
    """How many bytes the decoded body may have: its declared length, or `limit` where that says nothing."""
    length = request.content_length
    return length if length is not None and content_coding(request.headers) == "identity" else limit


async def read_body(request: web.Request, limit: int) -> bytes:
    """The whole body, decoded. Raises PayloadTooLarge beyond `limit` bytes, InvalidRequest if it is late or broken."""
    gunzip = _Gunzip(limit) if content_coding(request.headers) == "gzip" else None
    try:
        if request.content.is_eof():  # it came with the head, as small ones do
            body = request.content.read_nowait()
            if gunzip is not None:
                body = b"".join([gunzip.feed(body), gunzip.close()])
            if len(body) > limit:
                raise too_large(limit)
            return body
        async with asyncio.timeout(BODY_DEADLINE):
            return await _joined(request, limit, gunzip)
    except TimeoutError:
        raise InvalidRequest("the request body did not arrive in time", code="request_timeout") from None
    except (web.RequestPayloadError, ValueError, zlib.error) as exc:
        raise InvalidRequest("the request body is broken") from exc


async def _joined(request: web.Request, limit: int, gunzip: "_Gunzip | None") -> bytes:
    """The body, copied once. aiohttp's own `read` copies it three times: 2 ms a MB."""
    parts: list[bytes] = []
    size = 0
    while True:
        part, is_end_of_chunk = await request.content.readchunk()
        if not part and not is_end_of_chunk:
            break
        if gunzip is not None:
            part = gunzip.feed(part)
        size += len(part)
        if size > limit:
            raise too_large(limit)
        parts.append(part)
    if gunzip is not None:
        gunzip.close()
    return b"".join(parts)


class _Gunzip:
    """Decodes gzip, of one member or several, and never to more than `limit` bytes."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._left = limit
        self._member = zlib.decompressobj(_GZIP_FORMAT)

    def feed(self, data: bytes) -> bytes:
        """What `data` decodes to. Raises PayloadTooLarge beyond the limit and zlib.error if it is not gzip."""
        decoded: list[bytes] = []
        while data:
            if self._member.eof:
                self._member = zlib.decompressobj(_GZIP_FORMAT)
            part = self._member.decompress(data, self._left + 1)
            self._left -= len(part)
            if self._left < 0:
                raise too_large(self._limit)
            decoded.append(part)
            data = self._member.unused_data
        return b"".join(decoded)

    def close(self) -> bytes:
        """The body has ended; empty. Raises zlib.error if it is not whole."""
        if not self._member.eof:
            raise zlib.error("the end is missing")
        return b""


def too_large(limit: int) -> PayloadTooLarge:
    return PayloadTooLarge(f"the request body is larger than {limit} bytes", hint="the setting is `max_body`")
