"""The processes of a run: upstream, baseline and daemon, each pinned to a core, with CPU time and memory."""

import os
import resource
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import psutil

from scripts.benchmark.requests import Dialect

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Target:
    """A process that answers on `port`; `direct` is upstream itself, the lower bound of every figure."""

    name: str
    port: int
    dialect: Dialect
    pid: int

    def cpu(self) -> float:
        """Seconds of CPU the process has used so far, all its threads."""
        if psutil.LINUX:
            # clock_getcpuclockid(3): nanoseconds, where /proc has hundredths of a second.
            return time.clock_gettime((~self.pid << 3) | 2)
        times = psutil.Process(self.pid).cpu_times()
        return times.user + times.system

    def rss(self) -> float:
        """MB of memory the process and its children hold."""
        process = psutil.Process(self.pid)
        return sum(each.memory_info().rss for each in (process, *process.children(recursive=True))) / 1e6


@cache
def cores() -> tuple[set[int], set[int]]:
    """The core of the proxies, and the core of upstream and load; all cores if there is only one.

    Found out once: whoever has taken one of them no longer sees the other.
    """
    if not hasattr(os, "sched_getaffinity"):
        return set(), set()
    available = sorted(os.sched_getaffinity(0))
    return ({available[0]}, {available[1]}) if len(available) > 1 else (set(available), set(available))


def prepare() -> None:
    """Pin this process to the load's core and raise the descriptor limit, which child processes inherit."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 65536) if hard > 0 else 65536, hard))
    pin(os.getpid(), cores()[1])


def pin(pid: int, where: set[int]) -> None:
    if where and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(pid, where)


@contextmanager
def upstream() -> Iterator[Target]:
    command = [sys.executable, "-m", "scripts.benchmark.upstream"]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        yield Target("direct", int(process.stdout.readline()), "anthropic", process.pid)
        process.kill()


@contextmanager
def baseline(upstream_port: int) -> Iterator[Target]:
    port = free_port()
    command = [sys.executable, "-m", "scripts.benchmark.passthrough", f"http://127.0.0.1:{upstream_port}", str(port)]
    with _running(command, port, "/v1/models", dict(os.environ)) as pid:
        yield Target("pass", port, "anthropic", pid)


@contextmanager
def daemon(upstream_port: int, home: Path) -> Iterator[Target]:
    """The daemon with default settings and its own home directory."""
    port = free_port()
    command = [sys.executable, "-m", "claude_proxy", "serve", f"--port={port}"]
    with _running(command, port, "/health", environment(upstream_port, home)) as pid:
        yield Target("daemon", port, "openai", pid)


@contextmanager
def simulator(pace: float) -> Iterator[Target]:
    """The simulator as an upstream, `pace` seconds between two tokens."""
    port = free_port()
    command = [sys.executable, "-m", "claude_proxy", "simulator", f"--port={port}", f"--pace={pace:g}"]
    with _running(command, port, "/", dict(os.environ)) as pid:
        pin(pid, cores()[1])
        yield Target("simulator", port, "anthropic", pid)


def environment(upstream_port: int, home: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("CLAUDE_", "ANTHROPIC_", "XDG_"))}
    ours = {"ANTHROPIC_API_KEY": "none", "CLAUDE_PROXY_BASE_URL": f"http://127.0.0.1:{upstream_port}"}
    return {**kept, **ours, "HOME": str(home)}


def cold_start(upstream_port: int, home: Path) -> float:
    """Seconds that `claude-proxy start` takes; it returns once the daemon is ready."""
    environ = environment(upstream_port, home)
    command = [sys.executable, "-m", "claude_proxy"]
    began = time.monotonic()
    subprocess.run([*command, "start", "--port=0"], env=environ, stdout=subprocess.DEVNULL, check=True, timeout=60)
    took = time.monotonic() - began
    subprocess.run([*command, "stop"], env=environ, capture_output=True, check=True, timeout=60)
    return took


@contextmanager
def _running(command: list[str], port: int, path: str, environ: Mapping[str, str]) -> Iterator[int]:
    log = subprocess.DEVNULL if "CLAUDE_PROXY_BENCH_LOG" not in environ else None
    with subprocess.Popen(command, cwd=ROOT, env=environ, stdout=log, stderr=log) as process:
        try:
            pin(process.pid, cores()[0])
            _wait(f"http://127.0.0.1:{port}{path}", process)
            yield process.pid
        finally:
            process.terminate()


def _wait(url: str, process: "subprocess.Popen[bytes]") -> None:
    for _ in range(500):
        try:
            urllib.request.urlopen(url, timeout=5).close()  # noqa: S310 - loopback, made above
        except urllib.error.HTTPError:
            return  # it answers
        except (urllib.error.URLError, ConnectionError):
            if process.poll() is not None:
                raise SystemExit(f"error: {process.args!r} ended with {process.returncode}") from None
            time.sleep(0.02)
        else:
            return
    raise SystemExit(f"error: nothing answers at {url}")


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])
