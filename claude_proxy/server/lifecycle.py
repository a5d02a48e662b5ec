"""The application on listening sockets: from the first connection accepted to the last one closed."""

import asyncio
import logging
import socket
import sys

from aiohttp import web

from claude_proxy.config import Config
from claude_proxy.server.background import RUNS
from claude_proxy.server.binding import BACKLOG, address, is_tcp
from claude_proxy.server.connection import Connection, ConnectionLimit
from claude_proxy.server.process import raise_descriptor_limit
from claude_proxy.server.state import STATE, State
from claude_proxy.transport import peer

log = logging.getLogger(__name__)

LAST_WORDS = 1.0  # seconds that streams cut by the end of the drain have for their error event


class Server:
    """An application on listening sockets."""

    def __init__(self, app: web.Application) -> None:
        self.app = app
        self._state: State = app[STATE]
        self._runner = web.AppRunner(app, handler_cancellation=True, access_log=None, shutdown_timeout=LAST_WORDS)
        self._listeners: list[asyncio.Server] = []
        self.connection_limit = ConnectionLimit.of(
            raise_descriptor_limit(), same_user=_tells_users_apart(self._state.config)
        )

    async def start(self, sockets: list[socket.socket], host: str) -> str:
        """Accept connections; returns the address to print."""
        await self._runner.setup()
        for each in sockets:
            await self.listen(each)
        self._state.address = address(sockets[0], host)
        return self._state.address

    async def listen(self, listening: socket.socket) -> None:
        """Accept connections on one more socket."""
        loop = asyncio.get_running_loop()
        manager = self._runner.server
        assert manager is not None  # noqa: S101 - `start` made it
        create = loop.create_server if is_tcp(listening) else loop.create_unix_server
        listener = await create(
            lambda: Connection(manager, self.connection_limit, loop=loop), sock=listening, backlog=BACKLOG
        )
        self._listeners.append(listener)

    async def drain(self, timeout: float, at_once: asyncio.Event) -> None:
        """Accept nothing more and let open requests end: for `timeout` seconds, or until `at_once` is set."""
        self._state.stopping = True
        self._state.live.wake()  # its viewers end by themselves
        for call in tuple(self._state.on_stop):
            call()
        for listener in self._listeners:
            listener.close()
        manager = self._runner.server
        if manager is None:
            return
        # Let connections begin that were accepted before; idle ones end at once, the others after their reply.
        await asyncio.sleep(0)
        manager.pre_shutdown()
        ended = asyncio.create_task(self._ended(manager, timeout + LAST_WORDS))
        hurry = asyncio.create_task(at_once.wait())
        await asyncio.wait({ended, hurry}, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
        hurry.cancel()
        for exchange in list(self._state.open):
            if exchange.task is not None:
                exchange.task.cancel()  # its client gets an error that says why
        await asyncio.wait({ended}, timeout=LAST_WORDS)
        ended.cancel()
        await asyncio.wait({ended, hurry})

    async def _ended(self, manager: web.Server, timeout: float) -> None:
        """Return when every connection and every run in the background has ended."""
        await manager.shutdown(timeout)
        if RUNS in self.app:
            await self.app[RUNS].wait()

    async def close(self) -> None:
        """End what is still running."""
        for listener in self._listeners:
            listener.close()
        await self._runner.cleanup()


def _tells_users_apart(config: Config) -> bool:
    if not config.same_user:
        return False
    if peer.can_tell():
        return True
    if sys.platform == "linux":
        log.warning("programs of other users are not refused: this system does not tell whose a connection is")
    return False
