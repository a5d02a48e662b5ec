"""Waiting for a condition without a fixed sleep: an in-process one by loop iterations, another process by polling."""

import asyncio
import time
from collections.abc import Callable

_SECONDS = 60.0  # a bound for broken code; working code is done long before
_POLL = 0.005
_IDLE_ITERATIONS = 200  # of the event loop without progress; data on a loopback socket arrives within a few


def until(condition: Callable[[], object], seconds: float = _SECONDS) -> None:
    """Wait until `condition` holds in another process or thread. Fails after `seconds`."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "the condition did not become true"
        time.sleep(_POLL)


async def stalled(progress: Callable[[], int]) -> int:
    """Wait until `progress` no longer changes, because the work that it counts is blocked; returns its last value."""
    before, idle = progress(), 0
    async with asyncio.timeout(_SECONDS):
        while idle < _IDLE_ITERATIONS:
            await asyncio.sleep(0)
            now = progress()
            idle = idle + 1 if now == before else 0
            before = now
    return before
