import asyncio
import os
import signal

import pytest

from claude_proxy.server.signals import Signals


async def test_a_loop_that_takes_no_signals_gets_them_by_the_interpreter(monkeypatch: pytest.MonkeyPatch) -> None:
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    loop = asyncio.get_running_loop()

    def refuse(*_: object) -> None:
        raise NotImplementedError

    monkeypatch.setattr(loop, "add_signal_handler", refuse)
    signals = Signals()
    for asked in (signals.first, signals.second):
        os.kill(os.getpid(), signal.SIGINT)
        await asyncio.wait_for(asked.wait(), 5)
    for number, handler in before.items():
        signal.signal(number, handler)
