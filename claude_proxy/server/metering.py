"""What requests have used: an observer that collects a row for each, and hands them on in batches.

A finished request costs the event loop one object. About once a second the rows go to `consumers` (counters in memory)
and to the ledger on disk. A ledger that cannot be written costs figures and never an answer: rows wait within a bound
and are tried again, and the user is told once, in the log and in `status`.
"""

import asyncio
import itertools
import logging
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

import msgspec

from claude_proxy.credentials.terms import is_plan_login
from claude_proxy.errors import ProxyError, StoreError
from claude_proxy.server.exchange import Exchange
from claude_proxy.store.usage import CLIENT_LEFT, UsageRow
from claude_proxy.store.worker import Work
from claude_proxy.upstream.base import Identity
from claude_proxy.wire.anthropic import Usage

log = logging.getLogger(__name__)

INTERVAL = 1.0
RETRY_INTERVAL = 10.0
MAX_WAITING = 10_000  # rows, some 300 bytes each
MAX_BATCH = 1000
IDENTITY_TIMEOUT = 1.0
MAX_NAME = 100  # characters of a model's name, which a client has chosen

T = TypeVar("T")

Consumer = Callable[[Sequence[UsageRow]], None]


class Ledger(Protocol):
    async def add(self, rows: Sequence[UsageRow]) -> None:
        """Add all rows, or none of them and raise StoreError."""

    async def read(self, work: Work[T]) -> T:
        """Call `work` with a connection that cannot write, in a thread. Raises StoreError."""


async def _unknown() -> Identity | None:
    return None


@dataclass(eq=False)
class UsageMeter:
    """Collects a row of each request to a model. Without a `ledger` nothing is written to disk.

    `identify` returns the login in use. `problem` says why the ledger cannot be written at present, and `lost` is the
    number of rows that were given up since the start.
    """

    ledger: Ledger | None = None
    identify: Callable[[], Awaitable[Identity | None]] = _unknown
    consumers: list[Consumer] = field(default_factory=list)
    clock: Callable[[], float] = time.time
    problem: str | None = None
    lost: int = 0
    _rows: list[UsageRow] = field(default_factory=list)
    _waiting: deque[UsageRow] = field(default_factory=deque)
    _timer: asyncio.TimerHandle | None = None
    _writer: "asyncio.Task[None] | None" = None

    def __call__(self, exchange: Exchange) -> None:
        if not exchange.metered:
            return
        self._rows.append(row_of(exchange, self.clock()))
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(INTERVAL, self.flush)

    def flush(self) -> None:
        """Give the rows that were collected to the consumers, and begin to write them."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        rows, self._rows = self._rows, []
        for consume in self.consumers:
            consume(rows)
        if self.ledger is None:
            return
        kept = rows[: MAX_WAITING - len(self._waiting)]
        self.lost += len(rows) - len(kept)
        self._waiting.extend(kept)
        if self._waiting and self._writer is None:
            self._writer = asyncio.get_running_loop().create_task(self._write(self.ledger))

    async def written(self) -> None:
        """Return once all requests that have ended are in the ledger, or it has turned out that they cannot be."""
        self.flush()
        if self._writer is not None:
            await asyncio.wait([self._writer])

    async def close(self) -> None:
        """Write what is left, and give it up if that fails."""
        await self.written()
        if self._timer is not None:
            self._timer.cancel()
        if self._waiting:
            log.warning("%d requests are missing from the usage ledger", self.lost + len(self._waiting))

    async def _write(self, ledger: Ledger) -> None:
        try:
            while self._waiting:
                batch = list(itertools.islice(self._waiting, MAX_BATCH))
                await ledger.add(_paid(batch, await self._identity()))
                for _ in batch:
                    self._waiting.popleft()
        except StoreError as exc:
            self._failed(exc)
        else:
            self._succeeded()
        finally:
            self._writer = None

    async def _identity(self) -> Identity | None:
        try:
            return await asyncio.wait_for(self.identify(), IDENTITY_TIMEOUT)
        except (ProxyError, TimeoutError):
            return None

    def _failed(self, exc: StoreError) -> None:
        if self.problem is None:
            log.warning("usage is not recorded at present, and answers go on: %s", exc.text)
        self.problem = exc.text
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(RETRY_INTERVAL, self.flush)

    def _succeeded(self) -> None:
        if self.problem is not None:
            log.info("usage is recorded again; %d requests are missing", self.lost)
        self.problem = None


def row_of(exchange: Exchange, now: float) -> UsageRow:
    """The row of a request that ended at `now`, in epoch seconds."""
    usage = exchange.usage or _NOTHING
    duration, begin = exchange.duration, exchange.started
    return UsageRow(
        now - duration,
        exchange.client,
        exchange.dialect.name,
        None if exchange.upstream_model is None else exchange.upstream_model[:MAX_NAME],
        exchange.backend,
        exchange.status,
        _error_code(exchange),
        usage.input_tokens,
        usage.cache_read_input_tokens,
        usage.cache_creation_input_tokens,
        None if usage.cache_creation is None else usage.cache_creation.ephemeral_1h_input_tokens,
        usage.output_tokens,
        None if usage.server_tool_use is None else usage.server_tool_use.web_search_requests,
        usage.speed,
        None if exchange.first_byte is None else exchange.first_byte - begin,
        duration,
        exchange.choices,
        exchange.upstream_requests,
    )


_NOTHING = Usage()


def _error_code(exchange: Exchange) -> str | None:
    if (error := exchange.error) is not None:
        return error.code or error.type
    return CLIENT_LEFT if exchange.left else None


def _paid(rows: Sequence[UsageRow], identity: Identity | None) -> list[UsageRow]:
    """The rows with what is known about who paid: those that the backend in use has answered."""
    if identity is None:
        return list(rows)
    plan = is_plan_login(identity.kind, identity.source, identity.subscription)
    return [msgspec.structs.replace(row, plan=plan) if row.backend == identity.backend else row for row in rows]
