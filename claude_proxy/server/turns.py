"""How many requests run at the same time: the rest wait their turn, first come first served, up to a bound."""

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


class Turns:
    """`limit` at a time, as many again waiting; 0 sets no limit.

    `async with turns` is one place, for as long as the context lasts. Raises TooBusy when too many wait already.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._places = asyncio.Semaphore(limit)
        self._waiting = 0

    async def __aenter__(self) -> Self:
        if not self._limit:
            return self
        if self._waiting >= self._limit and self._places.locked():
            raise TooBusy
        self._waiting += 1
        try:
            await self._places.acquire()
        finally:
            self._waiting -= 1
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._limit:
            self._places.release()


TURNS = web.AppKey("turns", Turns)


@web.middleware
async def in_turn(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Let what asks the model wait its turn; looking at models or the status never waits.

    A request has one turn however often it asks upstream, so none can wait for itself.
    """
    if request.method != "POST":
        return await handler(request)
    async with request.app[TURNS]:
        return await handler(request)
