"""The connections to upstream that wait for the next request, and when they are given up."""

import asyncio
import time
from collections.abc import Callable, Mapping

from claude_proxy.config import Config
from claude_proxy.transport.coalescing import WriteCoalescer
from claude_proxy.transport.connection import Connection
from claude_proxy.transport.dial import Dialer

# Upstream's edge keeps idle connections for minutes; a new one costs two to three round trips.
KEEPALIVE = 90.0
# A burst of streams ends in as many idle connections, each with its TLS buffers.
MOST_KEPT = 100
# Wall clock and monotonic clock part when the machine sleeps. Smaller steps are the clock being set.
SLEPT = 5.0


class Pool:
    """Idle connections, the last one used first; nobody waits for one: there is a fresh one for whom none is left."""

    def __init__(self, config: Config, environ: Mapping[str, str], *, wall: Callable[[], float] = time.time) -> None:
        self._dialer = Dialer(config, environ)
        self._outbox = WriteCoalescer()
        self._idle: list[Connection] = []  # in the order in which they became idle
        self._busy: set[Connection] = set()
        self._given_up: set[Connection] = set()  # busy ones that nobody is to use again
        self._wall = wall
        self._gap = wall() - time.monotonic()
        self._sweeping: asyncio.TimerHandle | None = None

    async def connection(self) -> Connection:
        """A connection that is not in use, kept or fresh. Raises UpstreamUnreachable. Needs a running loop."""
        gap = self._wall() - time.monotonic()
        if abs(gap - self._gap) > SLEPT:
            self._gap = gap
            self.retire()
        while self._idle:
            connection = self._idle.pop()
            if connection.is_open:
                break
        else:
            connection = await self._dialer.connect(self._fresh)
        self._busy.add(connection)
        return connection

    def retire(self) -> None:
        """Use none of these connections again, they are suspected to be dead; what runs on them may finish."""
        self._given_up |= self._busy
        idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    def close(self) -> None:
        """End every connection at once."""
        if self._sweeping is not None:
            self._sweeping.cancel()
        for connection in [*self._idle, *self._busy]:
            connection.close()
        self._idle.clear()

    def _fresh(self) -> Connection:
        return Connection(self._outbox, free=self._freed, lost=self._lost)

    def _freed(self, connection: Connection) -> None:
        self._busy.discard(connection)
        if connection in self._given_up or len(self._idle) >= MOST_KEPT:
            connection.close()
            return
        loop = asyncio.get_running_loop()
        connection.idle_since = loop.time()
        self._idle.append(connection)
        if self._sweeping is None:
            self._sweeping = loop.call_later(KEEPALIVE, self._sweep)

    def _lost(self, connection: Connection) -> None:
        self._busy.discard(connection)
        self._given_up.discard(connection)
        if connection in self._idle:
            self._idle.remove(connection)

    def _sweep(self) -> None:
        """Close what has been idle for too long; one timer serves them all."""
        loop = asyncio.get_running_loop()
        oldest = loop.time() - KEEPALIVE
        for connection in [each for each in self._idle if each.idle_since <= oldest]:
            self._idle.remove(connection)
            connection.close()
        due = self._idle[0].idle_since + KEEPALIVE if self._idle else None
        self._sweeping = None if due is None else loop.call_at(due, self._sweep)
