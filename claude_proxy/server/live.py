"""The live feed: the last requests that have ended, and the open ones, for viewers of the page and for `top`.

Viewers read from one bounded ring, so a slow viewer, or many, cost requests nothing: who is too slow misses rows.
"""

import asyncio
import time
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from msgspec import Struct

from claude_proxy.errors import ProxyError
from claude_proxy.redaction import redactor
from claude_proxy.server.exchange import Exchange

MAX_ROWS = 200
MAX_OPEN = 100
MAX_VIEWERS = 16
MAX_NAME = 100  # characters of a name that a client or upstream has chosen
MAX_TEXT = 500
MAX_NOTES = 40


class TooManyViewers(ProxyError):
    status = 429
    type = "requests"
    code = "rate_limit_exceeded"

    def __init__(self) -> None:
        super().__init__(f"{MAX_VIEWERS} viewers watch the requests already", hint="close one of their tabs")


class OpenRow(Struct, frozen=True):
    """A request under way. `started` is in epoch seconds, `first_token` in seconds after it."""

    client: str
    method: str
    path: str
    dialect: str
    model: str | None
    started: float
    first_token: float | None


class Row(Struct, frozen=True):
    """A request that has ended. Times as in OpenRow; what is not known is None. `notes` are kind, param and text."""

    number: int
    id: str
    client: str
    method: str
    path: str
    dialect: str
    backend: str | None
    model: str | None
    upstream_model: str | None
    started: float
    first_token: float | None
    duration: float
    status: int | None
    left: bool
    input_tokens: int | None
    cache_read_tokens: int | None
    cache_write_tokens: int | None
    output_tokens: int | None
    warnings: tuple[str, ...]
    notes: tuple[tuple[str, str, str], ...]
    error: str | None


class LiveFeed:
    """An observer that keeps the last requests. Quiet requests are left out."""

    def __init__(self) -> None:
        self._rows: deque[Row] = deque(maxlen=MAX_ROWS)
        self._viewers: set[asyncio.Event] = set()
        self._count = 0

    def __call__(self, exchange: Exchange) -> None:
        if exchange.quiet:
            return
        self._count += 1
        self._rows.append(_row(self._count, exchange))
        if self._viewers:
            self.wake()

    def wake(self) -> None:
        """Make each viewer look."""
        for viewer in self._viewers:
            viewer.set()

    def since(self, number: int) -> list[Row]:
        """The rows after the one with this number, oldest first, as far back as they are kept."""
        newer = []
        for row in reversed(self._rows):
            if row.number <= number:
                break
            newer.append(row)
        return newer[::-1]

    @contextmanager
    def viewer(self) -> Iterator[asyncio.Event]:
        """An event that is set for each request that ends. Raises TooManyViewers."""
        if len(self._viewers) >= MAX_VIEWERS:
            raise TooManyViewers
        event = asyncio.Event()
        self._viewers.add(event)
        try:
            yield event
        finally:
            self._viewers.discard(event)


def open_rows(exchanges: Iterable[Exchange]) -> list[OpenRow]:
    """The oldest of the open requests, quiet ones left out."""
    counted = sorted((each for each in exchanges if not each.quiet), key=lambda each: each.started)
    return [_open_row(each) for each in counted[:MAX_OPEN]]


def _open_row(exchange: Exchange) -> OpenRow:
    return OpenRow(
        client=exchange.client,
        method=exchange.method[:20],
        path=exchange.path,
        dialect=exchange.dialect.name,
        model=_cut(exchange.model),
        started=_epoch(exchange),
        first_token=_first_token(exchange),
    )


def _row(number: int, exchange: Exchange) -> Row:
    usage = exchange.usage
    return Row(
        number=number,
        id=exchange.id[:MAX_NAME],
        client=exchange.client,
        method=exchange.method[:20],
        path=exchange.path,
        dialect=exchange.dialect.name,
        backend=exchange.backend,
        model=_cut(exchange.model),
        upstream_model=_cut(exchange.upstream_model),
        started=_epoch(exchange),
        first_token=_first_token(exchange),
        duration=round(exchange.duration, 3),
        status=exchange.status,
        left=exchange.left,
        input_tokens=usage.input_tokens if usage else None,
        cache_read_tokens=usage.cache_read_input_tokens if usage else None,
        cache_write_tokens=usage.cache_creation_input_tokens if usage else None,
        output_tokens=usage.output_tokens if usage else None,
        warnings=tuple([name[:MAX_NAME] for name in exchange.warnings[:MAX_NOTES]]),
        notes=tuple([(note.kind, note.param[:MAX_NAME], note.text[:MAX_TEXT]) for note in exchange.notes[:MAX_NOTES]]),
        error=redactor.redact(exchange.error.line)[:MAX_TEXT] if exchange.error else None,
    )


def _epoch(exchange: Exchange) -> float:
    return round(time.time() - (time.monotonic() - exchange.started), 1)


def _first_token(exchange: Exchange) -> float | None:
    """Seconds until the reply began; None while it has not, and for a request that was refused here."""
    if exchange.first_byte is None:
        return None
    return round(exchange.first_byte - exchange.started, 3)


def _cut(text: str | None) -> str | None:
    return None if text is None else text[:MAX_NAME]
