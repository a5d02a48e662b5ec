"""How many processes of the Claude CLI run, and which are started ahead.

A process answers one request. So that a request does not wait for the start of a program, `spare` processes are
started ahead, with the key (program, model, environment) of the last request; one that was not used within SPARE_TTL
seconds is ended, and so is one whose key is not the one that is wanted, when its place is needed. Above `limit`
processes requests wait, in order.
"""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass

from claude_proxy.errors import ProxyError
from claude_proxy.upstream.claude_cli.process import Process

log = logging.getLogger(__name__)

SPARE_TTL = 300.0
PROCESS_MEMORY = 256 * 1024 * 1024  # bytes; measured 163 to 199 MB

Start = Callable[[Hashable], Awaitable[Process]]


def process_limit(count: int, memory: int) -> int:
    """How many processes may run at the same time, by both settings; at least one, 0 sets no limit."""
    by_memory = memory // PROCESS_MEMORY if memory else count
    return max(1, min(count or by_memory, by_memory or 1)) if count or memory else 1_000


@dataclass(eq=False)
class _Spare:
    key: Hashable
    process: Process
    timer: asyncio.TimerHandle | None = None


class ProcessPool:
    """Belongs to one event loop. `start` starts a process for a key."""

    def __init__(self, start: Start, *, limit: int, spare: int) -> None:
        self._start = start
        self._limit = limit
        self._spare_count = min(spare, limit - 1) if limit > 1 else 0
        self._slots = asyncio.Semaphore(limit)
        self._in_use: set[Process] = set()
        self._leases = 0
        self._spares: list[_Spare] = []
        self._warming: asyncio.Task[None] | None = None
        self._closed = False

    async def acquire(self, key: Hashable) -> Process:
        """A process for `key` that nothing else uses. Its place is free again once it has ended."""
        await self._slots.acquire()
        self._leases += 1
        try:
            process = self._take_spare(key)
            if process is None:
                self._make_room()
                process = await self._start(key)
        except BaseException:
            self._release(None)
            raise
        self._in_use.add(process)
        process.on_ended = lambda: self._release(process)
        if not process.is_alive and process.has_ended:
            process.on_ended = lambda: None
            self._release(process)
        return process

    def warm(self, key: Hashable) -> None:
        """Start processes ahead for requests with `key`."""
        if self._closed or self._warming is not None or not self._spare_count:
            return
        if sum(each.key == key for each in self._spares) < self._spare_count:
            self._warming = asyncio.get_running_loop().create_task(self._warm(key))

    async def close(self) -> None:
        """End every process."""
        self._closed = True
        if self._warming is not None:
            self._warming.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._warming
        processes = [*self._in_use, *(each.process for each in self._spares)]
        while self._spares:
            self._end_spare(self._spares[0])
        for process in processes:
            process.end()
        for process in processes:
            await process.ended()

    async def _warm(self, key: Hashable) -> None:
        try:
            while self._spares and self._spares[0].key != key:
                self._end_spare(self._spares[0])
            if self._leases + len(self._spares) < self._limit and len(self._spares) < self._spare_count:
                process = await self._start(key)
                self._keep_spare(key, process)
        except ProxyError as exc:  # the next request meets the same, and reports it
            log.debug("no process of the Claude CLI was started ahead: %s", exc.message)
        finally:
            self._warming = None

    def _keep_spare(self, key: Hashable, process: Process) -> None:
        spare = _Spare(key, process)
        spare.timer = asyncio.get_running_loop().call_later(SPARE_TTL, self._end_spare, spare)
        process.on_ended = lambda: self._forget(spare)
        self._spares.append(spare)

    def _take_spare(self, key: Hashable) -> Process | None:
        for spare in list(self._spares):
            if spare.key == key and spare.process.is_alive:
                self._forget(spare)
                return spare.process
        return None

    def _make_room(self) -> None:
        while self._spares and self._leases + len(self._spares) > self._limit:
            self._end_spare(self._spares[0])

    def _end_spare(self, spare: _Spare) -> None:
        self._forget(spare)
        spare.process.end()

    def _forget(self, spare: _Spare) -> None:
        if spare.timer is not None:
            spare.timer.cancel()
        if spare in self._spares:
            self._spares.remove(spare)

    def _release(self, process: Process | None) -> None:
        if process is not None:
            self._in_use.discard(process)
        self._leases -= 1
        self._slots.release()
