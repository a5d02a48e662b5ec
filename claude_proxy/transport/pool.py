"""A pool of connections to upstream: which one a request gets, and when idle ones are closed."""

import asyncio
import time
from collections.abc import Callable, Mapping

from claude_proxy.transport.coalescing import WriteCoalescer
from claude_proxy.transport.dial import ClientSettings, Dialer
from claude_proxy.transport.http1 import HTTP1Connection, Timeouts

# Seconds. Upstream's edge keeps idle connections for minutes; a new one costs two to three round trips.
IDLE_TIMEOUT = 90.0
# A burst of streams would leave as many idle connections, each with its TLS buffers.
MAX_IDLE = 100
# Seconds. Wall clock and monotonic clock diverge while the machine sleeps; smaller steps come from setting the clock.
CLOCK_JUMP = 5.0


class ConnectionPool:
    """Idle connections, last in first out. There is no limit: if no connection is idle, a new one is opened.

    `environ` names proxies and certificate authorities.
    """

    def __init__(
        self, settings: ClientSettings, environ: Mapping[str, str], *, wall_clock: Callable[[], float] = time.time
    ) -> None:
        self._dialer = Dialer(settings, environ)
        self._timeouts = Timeouts(settings.first_byte_timeout, settings.read_timeout)
        self._coalescer = WriteCoalescer()
        self._idle: list[HTTP1Connection] = []  # in the order in which they became idle
        self._busy: set[HTTP1Connection] = set()
        self._retired: set[HTTP1Connection] = set()  # busy ones that will not be reused
        self._wall_clock = wall_clock
        self._clock_difference = wall_clock() - time.monotonic()
        self._expiry: asyncio.TimerHandle | None = None

    async def acquire(self) -> HTTP1Connection:
        """An idle connection or a new one. Raises UpstreamUnreachable. Needs a running event loop."""
        difference = self._wall_clock() - time.monotonic()
        if abs(difference - self._clock_difference) > CLOCK_JUMP:  # the machine has slept
            self._clock_difference = difference
            self.retire()
        while self._idle:
            connection = self._idle.pop()
            if connection.is_open:
                break
        else:
            connection = await self._dialer.connect(self._create)
        self._busy.add(connection)
        return connection

    def retire(self) -> None:
        """Reuse none of the present connections, they may be dead. Running replies are not interrupted."""
        self._retired |= self._busy
        idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    def close(self) -> None:
        """Close every connection at once."""
        if self._expiry is not None:
            self._expiry.cancel()
        for connection in [*self._idle, *self._busy]:
            connection.close()
        self._idle.clear()

    def _create(self) -> HTTP1Connection:
        return HTTP1Connection(self._coalescer, self._timeouts, on_idle=self._release, on_lost=self._discard)

    def _release(self, connection: HTTP1Connection) -> None:
        self._busy.discard(connection)
        if connection in self._retired or len(self._idle) >= MAX_IDLE:
            connection.close()
            return
        loop = asyncio.get_running_loop()
        connection.idle_since = loop.time()
        self._idle.append(connection)
        if self._expiry is None:
            self._expiry = loop.call_later(IDLE_TIMEOUT, self._close_expired)

    def _discard(self, connection: HTTP1Connection) -> None:
        self._busy.discard(connection)
        self._retired.discard(connection)
        if connection in self._idle:
            self._idle.remove(connection)

    def _close_expired(self) -> None:
        """Close connections that have been idle for too long. One timer serves all of them."""
        loop = asyncio.get_running_loop()
        oldest = loop.time() - IDLE_TIMEOUT
        for connection in [each for each in self._idle if each.idle_since <= oldest]:
            self._idle.remove(connection)
            connection.close()
        due = self._idle[0].idle_since + IDLE_TIMEOUT if self._idle else None
        self._expiry = None if due is None else loop.call_at(due, self._close_expired)
