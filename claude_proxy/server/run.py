"""The serving process: binds, serves until a signal or the idle timeout, drains and ends."""

import asyncio
import contextlib
import dataclasses
import logging
import socket
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path

from aiohttp import web

from claude_proxy.config import Config, check_upstream_is_elsewhere
from claude_proxy.credentials.chain import credential_chain
from claude_proxy.server import process
from claude_proxy.server.app import proxy_app
from claude_proxy.server.binding import bind, bind_unix, check_reachable
from claude_proxy.server.lifecycle import LAST_WORDS, Server
from claude_proxy.server.page import Checks
from claude_proxy.server.reload import Reload
from claude_proxy.server.signals import Signals
from claude_proxy.server.state import STATE, State
from claude_proxy.store.store import Limits, Store
from claude_proxy.upstream.factory import make_backend

log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class Manager:
    """The service manager that runs this process: `beat` is called every `interval` seconds with a line of status."""

    beat: Callable[[str], None]
    stopping: Callable[[str], None]
    interval: float = 10.0


def serve(  # noqa: PLR0913 - each is about the caller's surroundings, and all but two may be left out
    config: Config,
    *,
    environ: Mapping[str, str],
    ready: Callable[[str], None] | None = None,
    nonce: str | None = None,
    sockets: list[socket.socket] | None = None,
    manager: Manager | None = None,
    reread: Callable[[], Config] | None = None,
    store_file: Path | None = None,
    checks: Checks | None = None,
) -> int:
    """Serve until SIGTERM or SIGINT; returns the exit code.

    `ready` is called with the address, such as `http://127.0.0.1:8000`, once connections are accepted. `nonce` is
    returned as `instance` by GET /health. `sockets` listen already (socket activation) and replace `config.host` and
    `config.port`. `reread` reads the settings again, on SIGHUP. Responses and usage are kept in `store_file`, unless
    the settings turn that off. `checks` are doctor's, for the page. Raises ServiceError when the port cannot be bound,
    ConfigError when a setting cannot be used.
    """
    process.keep_secrets_in_memory()
    process.keep_freed_memory()
    with asyncio.Runner(loop_factory=process.loop_factory()) as runner:
        return runner.run(
            _serve(config, environ, ready or (lambda _: None), nonce, sockets, manager, reread, store_file, checks)
        )


async def _serve(  # noqa: PLR0913, PLR0917 - as above
    config: Config,
    environ: Mapping[str, str],
    ready: Callable[[str], None],
    nonce: str | None,
    sockets: list[socket.socket] | None,
    manager: Manager | None,
    reread: Callable[[], Config] | None,
    store_file: Path | None,
    checks: Checks | None,
) -> int:
    signals, given = Signals(), config
    async with contextlib.AsyncExitStack() as stack:
        listening = sockets or bind(config.host, config.port)
        for each in listening:
            stack.callback(each.close)
        check_reachable(listening, config)
        check_upstream_is_elsewhere(config, [each.getsockname()[1] for each in listening])
        if config.unix_socket:
            listening = [*listening, stack.enter_context(bind_unix(config.unix_socket))]
        if config.simulator:
            config = dataclasses.replace(config, base_url=await stack.enter_async_context(_simulator()))
        chain = credential_chain(config, environ)
        backend = make_backend(config, chain, environ)
        stack.push_async_callback(backend.close)
        store = None
        if store_file is not None and (config.store or config.usage):
            store = Store(store_file, Limits(config.store_max_size, config.store_max_age))
            stack.push_async_callback(store.close)
        app = proxy_app(config, backend, chain, nonce=nonce, store=store, checks=checks)
        server = Server(app)
        stack.push_async_callback(server.close)
        if reread:
            signals.hung_up = Reload(app, given, reread)
        url = await server.start(listening, config.host)
        log.info("listening on %s, upstream %s", url, config.base_url)
        ready(url)
        process.relax_collector()
        await _serving(app[STATE], signals.first, manager, config.idle_timeout)
        log.info("stopping: %d requests are open", len(app[STATE].open))
        if manager:
            manager.stopping("waiting for open requests")
        await server.drain(config.drain_timeout, signals.second)
    log.info("stopped")
    return 0


async def _serving(state: State, told_to_stop: asyncio.Event, manager: Manager | None, idle_timeout: float) -> None:
    """Return on the signal to stop, or after `idle_timeout` seconds without a request, unless that is 0."""
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
            log.info("no request for %g s", idle_timeout)
            return
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(told_to_stop.wait(), min(pauses, default=None))


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
