import asyncio
import subprocess
import sys
import threading

import pytest

from claude_proxy.transport import threads


async def test_work_is_done_in_another_thread():
    assert await threads.start(threading.current_thread, "worker") is not threading.current_thread()


async def test_what_work_raises_is_raised_to_whoever_waits():
    def work():
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        await threads.start(work, "worker")


async def test_a_waiter_may_leave():
    release = threading.Event()
    future = threads.start(release.wait, "worker")
    future.cancel()
    release.set()
    with pytest.raises(asyncio.CancelledError):
        await future
    await threads.start(lambda: None, "another")  # the loop is sound: the late result was dropped


def test_a_loop_that_has_closed_is_no_error():
    release = threading.Event()

    async def leave():
        threads.start(release.wait, "left behind")
        return next(thread for thread in threading.enumerate() if thread.name == "left behind")

    thread = asyncio.run(leave())
    release.set()
    thread.join(10)
    assert not thread.is_alive()


def test_stuck_work_does_not_hold_up_the_end_of_the_process():
    program = """if True:
        import asyncio, threading
        from claude_proxy.transport import threads
        async def main():
            threads.start(threading.Event().wait, "stuck")
        asyncio.run(main())
    """
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)
