"""What the serving process does on signals."""

import asyncio
import signal
from collections.abc import Callable


class Signals:
    """SIGTERM and SIGINT: the first one sets `first` (finish and stop), the second one `second` (stop at once).

    SIGHUP calls `hung_up` and never stops the process: a terminal that closes must not.
    """

    def __init__(self) -> None:
        self.first = asyncio.Event()
        self.second = asyncio.Event()
        self.hung_up: Callable[[], None] = lambda: None
        self._loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            self._on(number, self._received)
        if hasattr(signal, "SIGHUP"):  # not on Windows
            self._on(signal.SIGHUP, self._hung_up)

    def _on(self, number: signal.Signals, call: Callable[[], None]) -> None:
        try:
            self._loop.add_signal_handler(number, call)
        except NotImplementedError:  # loops on Windows
            signal.signal(number, lambda *_: self._loop.call_soon_threadsafe(call))

    def _hung_up(self) -> None:
        self.hung_up()

    def _received(self) -> None:
        (self.second if self.first.is_set() else self.first).set()
