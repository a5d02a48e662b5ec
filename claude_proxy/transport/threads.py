"""Blocking work outside the event loop, in a daemon thread that does not delay the end of the process."""

import asyncio
import threading
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def run_in_thread(work: Callable[[], T], name: str) -> "asyncio.Future[T]":
    """Run `work` in a daemon thread of its own; the future belongs to the running loop.

    Not `asyncio.to_thread`: its pool is joined when the loop closes and again at exit, and a keychain or a
    network home directory may keep a thread waiting for ever.
    """
    loop = asyncio.get_running_loop()
    future: asyncio.Future[T] = loop.create_future()

    def finish(result: T | None, error: BaseException | None) -> None:
        if future.done():  # it was cancelled
            return
        if error is not None:
            future.set_exception(error)
        else:
            future.set_result(result)  # type: ignore[arg-type] # None only beside an error

    def run() -> None:
        result: T | None = None
        error: BaseException | None = None
        try:
            result = work()
        except BaseException as exc:  # noqa: BLE001 - raised again by the future
            error = exc
        try:
            loop.call_soon_threadsafe(finish, result, error)
        except RuntimeError:  # the loop has been closed in the meantime
            return

    threading.Thread(target=run, name=name, daemon=True).start()
    return future
