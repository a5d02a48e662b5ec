"""Runs the simulator as a program: listens on a port until SIGINT or SIGTERM."""

import asyncio
import contextlib
import signal
from collections.abc import Callable

from aiohttp import web

from claude_proxy.simulator.app import simulator_app
from claude_proxy.simulator.options import Options


def run(options: Options, *, host: str, port: int, ready: Callable[[str], None]) -> None:
    """Serve the simulator until SIGINT or SIGTERM; `ready` gets its address. Raises OSError if it cannot listen."""
    asyncio.run(_run(options, host, port, ready))


async def _run(options: Options, host: str, port: int, ready: Callable[[str], None]) -> None:
    loop, end = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        with contextlib.suppress(NotImplementedError):  # on Windows, where Ctrl-C is a KeyboardInterrupt
            loop.add_signal_handler(number, end.set)
    runner = web.AppRunner(simulator_app(options), access_log=None, handler_cancellation=True, shutdown_timeout=1.0)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port).start()
        ready(_address(runner))
        await end.wait()
    finally:
        await runner.cleanup()


def _address(runner: web.AppRunner) -> str:
    host, port = runner.addresses[0][:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
