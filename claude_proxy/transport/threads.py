"""Blocking work beside the event loop, in a thread that can never hold up the end of the process."""

import asyncio
import threading
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def start(work: Callable[[], T], name: str) -> "asyncio.Future[T]":
    """Run `work` in a daemon thread of its own; the future belongs to the running loop.

    Not `asyncio.to_thread`: its pool is joined when the loop closes and again at exit, and a keychain or a
    network home directory may keep a thread waiting for ever.
    """
    loop = asyncio.get_running_loop()
    future: asyncio.Future[T] = loop.create_future()

    def settle(result: T | None, error: BaseException | None) -> None:
        if future.done():  # nobody waits any more
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
        except BaseException as exc:  # noqa: BLE001 - carried over to whoever awaits
            error = exc
        try:
            loop.call_soon_threadsafe(settle, result, error)
        except RuntimeError:  # the loop has closed meanwhile
            return

    threading.Thread(target=run, name=name, daemon=True).start()
    return future
