import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest

from claude_proxy.config import Config, load
from claude_proxy.errors import ConfigError, NoCredential, ServiceError
from claude_proxy.paths import Paths, paths
from claude_proxy.service import choice, daemon, lifecycle
from claude_proxy.service.lifecycle import Running
from claude_proxy.service.supervisor import ServiceSpec, Supervisor

SIMULATOR = load({"simulator": True, "port": "0"}, {})


class FakeSupervisor(Supervisor):
    """A service manager that writes down what it is told."""

    name: Literal["systemd", "launchd"] = "systemd"

    def __init__(self) -> None:
        super().__init__({})
        self.calls: list[str] = []
        self.current = False
        self.waiting = False

    def missing(self) -> str | None:
        return None

    def files(self, spec: ServiceSpec) -> dict[Path, str]:
        return {}

    def is_installed(self) -> bool:
        return True

    def is_waiting(self) -> bool:
        return self.waiting

    def is_current(self, spec: ServiceSpec) -> bool:
        return self.current

    def install(self, spec: ServiceSpec) -> None:
        self.calls.append("install")

    def uninstall(self) -> None:
        self.calls.append("uninstall")

    def start(self) -> None:
        self.calls.append("start")

    def stop(self) -> None:
        self.calls.append("stop")

    def logs_command(self, lines: int, *, follow: bool) -> list[str] | None:
        return None


@pytest.fixture
def environ() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}


@pytest.fixture
def here(home: Path, environ: dict[str, str]) -> Iterator[Paths]:
    """The paths of this user, without a daemon afterwards."""
    yield paths()
    lifecycle.stop(paths(), environ, lambda _: None)


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> FakeSupervisor:
    service = FakeSupervisor()
    monkeypatch.setattr(choice, "installed", lambda _: service)
    return service


def test_a_daemon_is_started_found_and_stopped(here: Paths, environ: dict[str, str]):
    checks: list[None] = []
    first = lifecycle.ensure_running(SIMULATOR, here, environ, lambda: checks.append(None))
    second = lifecycle.ensure_running(SIMULATOR, here, environ, lambda: checks.append(None))
    assert first.started_by == "claude-proxy"
    assert second == Running(first.record)
    assert checks == [None]
    stopped = lifecycle.stop(here, environ, lambda _: None)
    assert stopped is not None
    assert (stopped.record, stopped.service, stopped.killed) == (first.record, None, False)
    assert lifecycle.stop(here, environ, lambda _: None) is None


def test_nothing_is_started_when_it_could_not_serve(here: Paths, environ: dict[str, str]):
    def fail() -> None:
        raise NoCredential("none")

    with pytest.raises(NoCredential):
        lifecycle.ensure_running(SIMULATOR, here, environ, fail)
    itself = Config(base_url="http://localhost:8000")
    with pytest.raises(ConfigError, match="own address"):
        lifecycle.ensure_running(itself, here, environ, lambda: None)
    assert daemon.find(here) is None


def test_a_daemon_that_stops_is_awaited_before_another_one_starts(places: Paths):
    with daemon.claim(places, manager="foreground", drain=1) as claim:
        claim.listening("http://127.0.0.1:1")
        claim.stopping()
        with pytest.raises(ServiceError, match=r"has been starting or stopping for more than 0\.05 s"):
            lifecycle.find_listening(places, timeout=0.05)
        found: list[object] = []
        waiting = threading.Thread(target=lambda: found.append(lifecycle.find_listening(places)))
        waiting.start()
    waiting.join(30)
    assert found == [None]


def test_a_daemon_that_has_begun_is_awaited_until_it_listens(places: Paths):
    with daemon.claim(places, manager="foreground", drain=1) as claim:
        found: list[object] = []
        waiting = threading.Thread(target=lambda: found.append(lifecycle.find_listening(places)))
        waiting.start()
        claim.listening("http://127.0.0.1:1")
        waiting.join(30)
        assert found == [claim.record]


def test_a_service_gets_no_flags(places: Paths, installed: FakeSupervisor):
    with pytest.raises(ServiceError, match=r"which gets no flags from this command: --port=0, --simulator"):
        lifecycle.ensure_running(SIMULATOR, places, {}, lambda: None)
    assert installed.calls == []


def test_a_service_is_stopped_by_its_manager(places: Paths, installed: FakeSupervisor):
    with daemon.claim(places, manager="systemd", drain=1) as claim:
        stopped = lifecycle.stop(places, {}, lambda _: None)
    assert stopped == lifecycle.Stopped(claim.record, "systemd")
    installed.waiting = True
    assert lifecycle.stop(places, {}, lambda _: None) == lifecycle.Stopped(None, "systemd")
    assert installed.calls == ["stop", "stop"]


def test_a_service_is_rewritten_only_when_the_settings_ask_for_another_one(places: Paths, installed: FakeSupervisor):
    places.config_file.write_text("port = 0")
    assert lifecycle.update_service(installed, places, {})
    installed.current = True
    assert not lifecycle.update_service(installed, places, {})
    assert installed.calls == ["install"]
    config, spec = lifecycle.planned_service(places, {"PATH": "/bin", "CLAUDE_PROXY_PORT": "5"})
    assert (config.port, spec.environ) == (0, {"PATH": "/bin"})
