import asyncio
import subprocess
import sys
import threading

import pytest

from claude_proxy.transport import threads


async def test_work_is_done_in_another_thread():
    assert await threads.run_in_thread(threading.current_thread, "worker") is not threading.current_thread()


async def test_what_work_raises_is_raised_by_the_future():
    def work():
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        await threads.run_in_thread(work, "worker")


async def test_the_future_may_be_cancelled():
    release = threading.Event()
    future = threads.run_in_thread(release.wait, "worker")
    future.cancel()
    release.set()
    with pytest.raises(asyncio.CancelledError):
        await future
    await threads.run_in_thread(lambda: None, "another")  # the loop still works: the late result was dropped


def test_a_loop_that_has_closed_is_no_error():
    release = threading.Event()

    async def leave():
        threads.run_in_thread(release.wait, "left behind")
        return next(thread for thread in threading.enumerate() if thread.name == "left behind")

    thread = asyncio.run(leave())
    release.set()
    thread.join(10)
    assert not thread.is_alive()


def test_stuck_work_does_not_delay_the_end_of_the_process():
    program = """if True:
        import asyncio, threading
        from claude_proxy.transport import threads
        async def main():
            threads.run_in_thread(threading.Event().wait, "stuck")
        asyncio.run(main())
    """
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)
