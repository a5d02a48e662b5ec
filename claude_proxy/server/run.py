"""The life of the serving process: what it binds, how it answers signals, how it ends."""

import asyncio
import contextlib
import dataclasses
import gc
import logging
import signal
import socket
import sys
from collections.abc import AsyncIterator, Callable, Mapping

from aiohttp import web

from claude_proxy.config import Config, check_upstream_is_elsewhere
from claude_proxy.credentials.chain import credential_chain
from claude_proxy.server.app import proxy_app
from claude_proxy.server.binding import BACKLOG, address, bind, bind_unix, is_tcp
from claude_proxy.server.connection import Connection, Room
from claude_proxy.server.reload import Reload
from claude_proxy.server.state import STATE, State
from claude_proxy.transport import peer
from claude_proxy.upstream.factory import make_backend

if sys.platform != "win32":
    import resource

log = logging.getLogger(__name__)

LAST_WORDS = 1.0  # seconds that streams cut by the end of the drain have for their error event
KEPT_BLOCK = 4 * 1024 * 1024  # larger blocks go back to the system at once
KEPT_FREE = 16 * 1024 * 1024  # as does free memory beyond that
MAX_DESCRIPTORS = 65536  # enough for any one user, and macOS refuses to be asked for "unlimited"


@dataclasses.dataclass(frozen=True)
class Manager:
    """Who runs this process and wants to hear how it is: `beat` is called every `interval` seconds, with a line."""

    beat: Callable[[str], None]
    stopping: Callable[[str], None]
    interval: float = 10.0


def serve(
    config: Config,
    *,
    environ: Mapping[str, str],
    ready: Callable[[str], None] | None = None,
    nonce: str | None = None,
    sockets: list[socket.socket] | None = None,
    manager: Manager | None = None,
    reread: Callable[[], Config] | None = None,
) -> int:
    """Serve until SIGTERM or SIGINT; returns the exit code.

    `ready` is called with the address, such as `http://127.0.0.1:8000`, once connections are accepted. `nonce`
    comes back as `instance` from GET /health. `sockets` are listening already (socket activation) and replace
    `config.host` and `config.port`. `reread` gives the settings anew, on SIGHUP. Raises ServiceError when the port
    cannot be had, ConfigError when a setting cannot be used.
    """
    _keep_secrets_in_memory()
    _keep_freed_memory()
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        return runner.run(_serve(config, environ, ready or (lambda _: None), nonce, sockets, manager, reread))


async def _serve(
    config: Config,
    environ: Mapping[str, str],
    ready: Callable[[str], None],
    nonce: str | None,
    sockets: list[socket.socket] | None,
    manager: Manager | None,
    reread: Callable[[], Config] | None,
) -> int:
    signals, given = _Signals(), config
    async with contextlib.AsyncExitStack() as stack:
        listening = sockets or bind(config.host, config.port)
        for each in listening:
            stack.callback(each.close)
        check_upstream_is_elsewhere(config, [each.getsockname()[1] for each in listening])
        if config.unix_socket:
            listening = [*listening, stack.enter_context(bind_unix(config.unix_socket))]
        if config.simulator:
            config = dataclasses.replace(config, base_url=await stack.enter_async_context(_simulator()))
        chain = credential_chain(config, environ)
        backend = make_backend(config, chain, environ)
        stack.push_async_callback(backend.close)
        app = proxy_app(config, backend, chain, nonce=nonce)
        server = Server(app)
        stack.push_async_callback(server.close)
        if reread:
            signals.hung_up = Reload(app, given, reread)
        url = await server.start(listening, config.host)
        log.info("listening on %s, upstream %s", url, config.base_url)
        ready(url)
        _spare_the_collector()
        await _serving(app[STATE], signals.first, manager, config.idle_timeout)
        log.info("stopping: %d requests are open", len(app[STATE].open))
        if manager:
            manager.stopping("waiting for open requests")
        await server.drain(config.drain_timeout, signals.second)
    log.info("stopped")
    return 0


async def _serving(state: State, told_to_stop: asyncio.Event, manager: Manager | None, idle_timeout: float) -> None:
    """Return when told to stop, or when nobody has asked anything for `idle_timeout` seconds, unless that is 0."""
    loop = asyncio.get_running_loop()
    served, since = state.counters.served, loop.time()
    pauses = [manager.interval] if manager else []
    pauses += [idle_timeout / 4] if idle_timeout else []
    while not told_to_stop.is_set():
        if manager:
            manager.beat(f"{state.counters.served} requests served, {len(state.open)} open")
        if state.open or state.counters.served != served:
            served, since = state.counters.served, loop.time()
        elif idle_timeout and loop.time() - since >= idle_timeout:
            log.info("nobody has asked anything for %g s", idle_timeout)
            return
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(told_to_stop.wait(), min(pauses, default=None))


class Server:
    """An application on listening sockets."""

    def __init__(self, app: web.Application) -> None:
        self.app = app
        self._state: State = app[STATE]
        self._runner = web.AppRunner(app, handler_cancellation=True, access_log=None, shutdown_timeout=LAST_WORDS)
        self._listeners: list[asyncio.Server] = []
        self.room = Room.of(_raise_descriptor_limit(), same_user=_tells_users_apart(self._state.config))

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
        listener = await create(lambda: Connection(manager, self.room, loop=loop), sock=listening, backlog=BACKLOG)
        self._listeners.append(listener)

    async def drain(self, timeout: float, at_once: asyncio.Event) -> None:
        """Accept nothing more and let open requests end: for `timeout` seconds, or until `at_once` is set."""
        self._state.stopping = True
        for listener in self._listeners:
            listener.close()
        manager = self._runner.server
        if manager is None:
            return
        # What came before the door closed has begun; idle connections end at once, the others after their reply.
        await asyncio.sleep(0)
        manager.pre_shutdown()
        ended = asyncio.create_task(manager.shutdown(timeout + LAST_WORDS))
        hurry = asyncio.create_task(at_once.wait())
        await asyncio.wait({ended, hurry}, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
        hurry.cancel()
        for exchange in list(self._state.open):
            if exchange.task is not None:
                exchange.task.cancel()  # `replies` tells the client why
        await asyncio.wait({ended}, timeout=LAST_WORDS)
        ended.cancel()
        await asyncio.wait({ended, hurry})

    async def close(self) -> None:
        """End whatever is left."""
        for listener in self._listeners:
            listener.close()
        await self._runner.cleanup()


class _Signals:
    """SIGTERM and SIGINT, counted to two: the first asks to finish, the second to stop at once.

    SIGHUP calls `hung_up`, and never stops anything: a terminal that closes is no reason to.
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


@contextlib.asynccontextmanager
async def _simulator() -> AsyncIterator[str]:
    """The built-in Messages API on a port of its own, in this process; yields its address."""
    from claude_proxy.simulator.app import Options, simulator_app  # noqa: PLC0415 - most runs do without it

    runner = web.AppRunner(simulator_app(Options()), access_log=None, shutdown_timeout=LAST_WORDS)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        host, port = runner.addresses[0][:2]
        yield f"http://{host}:{port}"
    finally:
        await runner.cleanup()


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop  # noqa: PLC0415 - not on every platform
    except ImportError:
        return None
    return uvloop.new_event_loop


def _tells_users_apart(config: Config) -> bool:
    if not config.same_user:
        return False
    if peer.can_tell():
        return True
    if sys.platform == "linux":
        log.warning("this system does not tell whose a connection is: programs of other users are not refused")
    return False


def _spare_the_collector() -> None:
    """Collect garbage seldom, and only among what came after the start: a tenth of a small request's cost.

    A request leaves hardly any cycles behind; looking for them after every 700 new objects, as Python does by itself,
    finds little, and the modules that are loaded by now never become garbage.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


def _keep_freed_memory() -> None:
    """Have glibc keep what a large request frees for the next one.

    It would give it back to the system and be given it again, page by page: a third of what a request of 1 MB costs.
    """
    if sys.platform == "linux":
        import ctypes  # noqa: PLC0415 - only here

        m_trim_threshold, m_mmap_threshold = -1, -3
        with contextlib.suppress(AttributeError):  # another C library
            mallopt = ctypes.CDLL(None).mallopt
            mallopt(m_mmap_threshold, KEPT_BLOCK)
            mallopt(m_trim_threshold, KEPT_FREE)


def _raise_descriptor_limit() -> int:
    """Allow as many descriptors as the system lets us; returns how many that are."""
    if sys.platform == "win32":
        return MAX_DESCRIPTORS
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MAX_DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, MAX_DESCRIPTORS)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
            return wanted
    return soft if 0 < soft < MAX_DESCRIPTORS else MAX_DESCRIPTORS


def _keep_secrets_in_memory() -> None:
    """No core dump, and on Linux no other process of this user that attaches and reads."""
    if sys.platform == "win32":
        return
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
    if sys.platform == "linux":
        import ctypes  # noqa: PLC0415 - only here

        pr_set_dumpable = 4
        ctypes.CDLL(None).prctl(pr_set_dumpable, 0, 0, 0, 0)
