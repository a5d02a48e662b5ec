"""The concurrency limit: requests beyond it wait in order, and those beyond as many again are refused."""

import asyncio
from typing import Self

from aiohttp import web
from aiohttp.typedefs import Handler

from claude_proxy.errors import ProxyError


class TooBusy(ProxyError):
    status = 429
    type = "requests"
    code = "rate_limit_exceeded"

    def __init__(self) -> None:
        super().__init__(
            "too many requests are running and waiting on this machine. Please try again in 1s.",
            hint="the setting is `max_concurrency`",
            headers={"retry-after": "1"},
        )


class ConcurrencyLimit:
    """`limit` requests at a time, and as many more that wait; 0 sets no limit.

    `async with limit` holds one slot for as long as the context lasts; `acquire` returns one that the caller releases.
    Both raise TooBusy when too many wait already.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._slots = asyncio.Semaphore(limit)
        self._waiting = 0
        self._held: list[Slot] = []

    async def acquire(self) -> "Slot":
        if not self._limit:
            return Slot(None)
        if self._waiting >= self._limit and self._slots.locked():
            raise TooBusy
        self._waiting += 1
        try:
            await self._slots.acquire()
        finally:
            self._waiting -= 1
        return Slot(self._slots)

    async def __aenter__(self) -> Self:
        self._held.append(await self.acquire())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._held.pop().release()


class Slot:
    """One slot, until it is released or transferred."""

    def __init__(self, slots: asyncio.Semaphore | None) -> None:
        self._slots = slots

    def release(self) -> None:
        if self._slots is not None:
            self._slots.release()
            self._slots = None

    def transfer(self) -> "Slot":
        """The slot for another owner; this one has none any more."""
        taken, self._slots = self._slots, None
        return Slot(taken)


CONCURRENCY = web.AppKey("concurrency", ConcurrencyLimit)
SLOT = web.RequestKey("slot", Slot)  # of a POST


@web.middleware
async def limit_concurrency(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Make requests to the model wait for a slot. Requests for models or the status never wait.

    A request holds one slot however often it sends upstream, so none can wait for itself. It may transfer the slot to
    a task that goes on after its reply.
    """
    if request.method != "POST":
        return await handler(request)
    slot = request[SLOT] = await request.app[CONCURRENCY].acquire()
    try:
        return await handler(request)
    finally:
        slot.release()
