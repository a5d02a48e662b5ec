import asyncio
import contextlib
import os
import resource
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

from claude_proxy.config import Config, load
from claude_proxy.errors import ConfigError, ServiceError
from claude_proxy.server import process as process_settings
from claude_proxy.server import run
from claude_proxy.server.binding import bind

PROGRAM = """
import ctypes, os, sys
from claude_proxy import log
from claude_proxy.config import Config, load
from claude_proxy.server.run import serve
log.set_up("info")
dumpable = ctypes.CDLL(None).prctl if sys.platform == "linux" else lambda _: 0
flags = {"port": 0, "simulator": True, "drain_timeout": float(sys.argv[1])}
def ready(url):
    print(url, dumpable(3), flush=True)
sys.exit(serve(load(flags, {}), environ=os.environ, ready=ready, nonce="its-nonce"))
"""


# -------------------------------------------------------------------------------------------------- the process


@pytest.fixture
def _own_signals(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Lets `serve` run in this process, without what it changes for good."""
    for lasting in ("keep_secrets_in_memory", "keep_freed_memory", "relax_collector"):
        monkeypatch.setattr(process_settings, lasting, lambda: None)
    before = signal.getsignal(signal.SIGHUP)
    yield
    signal.signal(signal.SIGHUP, before)


@pytest.mark.usefixtures("_own_signals")
def test_serving_begins_with_ready_and_ends_with_a_signal(tmp_path: Path) -> None:
    told: list[str] = []
    manager = run.Manager(told.append, told.append, 0.01)
    tmp_path.chmod(0o700)
    place = tmp_path / "door.sock"

    def ready(url: str) -> None:
        told.append(f"{url.rpartition(':')[0]} {place.is_socket()}")
        os.kill(os.getpid(), signal.SIGTERM)

    flags = {"port": 0, "simulator": True, "unix_socket": str(place)}
    assert run.serve(load(flags, {}), environ=os.environ, ready=ready, manager=manager) == 0
    assert told == ["http://localhost True", "0 requests served, 0 open", "waiting for open requests"]
    assert not place.exists()


@pytest.mark.usefixtures("_own_signals")
def test_sighup_has_the_settings_read_again() -> None:
    settings = load({"port": 0, "simulator": True}, {})

    def reread() -> Config:
        os.kill(os.getpid(), signal.SIGTERM)
        return settings

    def ready(_: str) -> None:
        os.kill(os.getpid(), signal.SIGHUP)

    assert run.serve(settings, environ=os.environ, ready=ready, reread=reread) == 0


@pytest.mark.usefixtures("_own_signals")
def test_serving_ends_by_itself_when_nobody_asks() -> None:
    flags = {"port": 0, "simulator": True, "idle_timeout": 0.05}
    assert run.serve(load(flags, {}), environ=os.environ) == 0


@pytest.mark.usefixtures("_own_signals")
def test_serving_on_a_taken_port_fails_before_anything_else() -> None:
    with contextlib.closing(bind("127.0.0.1", 0)[0]) as taken:
        flags = {"port": taken.getsockname()[1], "simulator": True}
        with pytest.raises(ServiceError, match="already in use"):
            run.serve(load(flags, {}), environ=os.environ)


@pytest.mark.usefixtures("_own_signals")
def test_a_server_whose_upstream_is_itself_does_not_begin() -> None:
    made = bind("127.0.0.1", 0)
    flags = {"base_url": f"http://localhost:{made[0].getsockname()[1]}"}
    with pytest.raises(ConfigError, match="own address"):
        run.serve(load(flags, {}), environ={}, ready=pytest.fail, sockets=made)


@pytest.mark.usefixtures("_own_signals")
def test_sockets_that_listen_already_are_taken_over() -> None:
    made = bind("127.0.0.1", 0)
    port = made[0].getsockname()[1]
    ready: list[str] = []
    flags = {"host": "127.0.0.1", "port": 1, "simulator": True, "idle_timeout": 0.05}
    run.serve(load(flags, {}), environ=os.environ, ready=ready.append, sockets=made)
    assert ready == [f"http://127.0.0.1:{port}"]


@asynccontextmanager
async def process(drain_timeout: float = 5) -> AsyncIterator[tuple[Process, str, str]]:
    """The server in a process of its own, on the simulator; its address, and whether others may read its memory."""
    made = await asyncio.create_subprocess_exec(
        sys.executable, "-W", "error", "-c", PROGRAM, str(drain_timeout), stdout=PIPE, stderr=PIPE
    )
    assert made.stdout is not None
    try:
        url, dumpable = (await made.stdout.readline()).decode().split()
        yield made, url, dumpable
    finally:
        if made.returncode is None:
            made.kill()
        await made.communicate()


async def test_the_process_serves_the_simulator_and_ends_on_sigterm() -> None:
    async with process() as (made, url, _), aiohttp.ClientSession(url) as client:
        assert (await (await client.get("/health")).json())["instance"] == "its-nonce"
        told = await (await client.get("/status")).json()
        assert (told["pid"], told["address"], told["upstream"]["simulator"]) == (made.pid, url, True)
        made.terminate()
        _, log = await asyncio.wait_for(made.communicate(), 10)
    assert made.returncode == 0
    assert log.decode().splitlines()[-1].endswith("stopped")
    assert b"Traceback" not in log


async def test_sighup_does_not_end_it_and_two_sigints_do_at_once() -> None:
    ask = {"model": "claude-sonnet-5", "max_tokens": 9, "stream": True}
    ask |= {"messages": [{"role": "user", "content": "/simulate text x\n/simulate stall"}]}
    async with process(drain_timeout=600) as (made, url, _), aiohttp.ClientSession(url) as client:
        made.send_signal(signal.SIGHUP)
        reply = await client.post("/v1/messages", json=ask)
        await reply.content.readany()
        made.send_signal(signal.SIGINT)
        while await _answers(url):
            pass
        made.send_signal(signal.SIGINT)
        await asyncio.wait_for(made.wait(), 10)
        assert b"claude-proxy is stopping" in await reply.read()
    assert made.returncode == 0


async def _answers(url: str) -> bool:
    try:
        _, writer = await asyncio.open_connection(*url.removeprefix("http://").split(":"))
    except ConnectionError:
        return False
    writer.close()
    return True


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
async def test_the_process_keeps_its_memory_to_itself_and_may_open_many_files() -> None:
    async with process() as (made, _, dumpable):
        limits = _limits(made.pid)
    assert (limits["Max core file size"][0], dumpable) == ("0", "0")
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    assert int(limits["Max open files"][0]) >= min(hard, 65536)


def _limits(pid: int) -> dict[str, list[str]]:
    table = Path(f"/proc/{pid}/limits").read_text().splitlines()
    return {line[:25].strip(): line[25:].split() for line in table}


async def test_importing_the_server_is_all_that_serving_needs() -> None:
    code = "import sys, claude_proxy.server.run; print(*sys.modules)"
    made = await asyncio.create_subprocess_exec(sys.executable, "-c", code, stdout=PIPE)
    loaded = set((await made.communicate())[0].decode().split())
    assert not loaded & {"click", "rich", "psutil", "keyring.backends.SecretService", "claude_proxy.simulator.app"}
