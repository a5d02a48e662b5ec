import asyncio
import itertools
import threading

import pytest

from tests.support.waiting import stalled, until


def test_a_condition_of_another_thread_is_waited_for():
    ready = threading.Event()
    threading.Timer(0, ready.set).start()
    until(ready.is_set)


def test_a_condition_that_never_holds_fails():
    with pytest.raises(AssertionError, match="did not become true"):
        until(lambda: False, seconds=0)


async def test_progress_is_waited_out():
    count = 0

    async def work() -> None:
        nonlocal count
        for count in itertools.takewhile(lambda number: number < 50, itertools.count()):  # noqa: B007
            await asyncio.sleep(0)

    task = asyncio.create_task(work())
    assert await stalled(lambda: count) == 49
    await task
