import plistlib
import shlex
from pathlib import Path

import pytest

from claude_proxy.config import Config
from claude_proxy.errors import ServiceError
from claude_proxy.paths import Paths
from claude_proxy.service import launchd
from claude_proxy.service.launchd import Launchd
from claude_proxy.service.supervisor import ServiceSpec, service_spec

GOLDEN = Path(__file__).with_name("launchd.plist")
SPEC = ServiceSpec(
    command=("/Users/zoë/.venv/bin/python", "-P", "-m", "claude_proxy", "serve"),
    addresses=("127.0.0.1:8000",),
    drain=30.0,
    log_file=Path("/Users/zoë/Library/Application Support/claude-proxy/claude-proxy.log"),
    environ={"PATH": "/opt/homebrew/bin:/usr/bin:/bin"},
)


@pytest.fixture
def manager(tmp_path: Path):
    """A Launchd whose `launchctl` writes down what it is asked; the file `loaded` says that the agent is."""
    program = tmp_path / "bin" / "launchctl"
    program.parent.mkdir()
    here = shlex.quote(str(tmp_path))
    program.write_text(
        f'#!/bin/sh\necho "$@" >> {here}/asked\n'
        f"case $1 in print) case $2 in */*/*) [ -e {here}/loaded ];; *) [ ! -e {here}/fails ];; esac;;\n"
        f"bootstrap) touch {here}/loaded;; bootout) rm {here}/loaded;; esac\n"
    )
    program.chmod(0o755)
    return Launchd({"PATH": f"{program.parent}:/usr/bin:/bin", "HOME": str(tmp_path / "home")})


def a_plain_spec(tmp_path: Path) -> ServiceSpec:
    return service_spec(Config(), Paths(tmp_path / "config.toml", tmp_path / "state", tmp_path / "data"), {})


def asked(tmp_path: Path) -> list[str]:
    lines = (tmp_path / "asked").read_text().splitlines()
    (tmp_path / "asked").unlink()
    return [line.split()[0] for line in lines if not line.startswith("print")]


def test_the_agent_is_the_golden_file_and_a_property_list():
    text = launchd.render(SPEC)
    assert text == GOLDEN.read_text("utf-8")
    agent = plistlib.loads(text.encode())
    assert agent["ProgramArguments"] == [*SPEC.command, "--background"]
    assert agent["KeepAlive"] == {"SuccessfulExit": False}
    assert agent["ExitTimeOut"] > SPEC.drain


def test_an_agent_is_loaded_started_and_taken_away(manager: Launchd, tmp_path: Path):
    wanted = a_plain_spec(tmp_path)
    assert manager.missing() is None
    assert not manager.is_installed()
    manager.install(wanted)
    assert manager.is_installed()
    assert manager.is_current(wanted)
    manager.start()
    manager.start()
    assert asked(tmp_path) == ["enable", "bootstrap", "kickstart"]
    manager.uninstall()
    assert asked(tmp_path) == ["bootout"]
    assert not manager.is_installed()
    manager.stop()
    assert asked(tmp_path) == []


def test_launchd_keeps_no_log_and_waits_for_no_request(manager: Launchd):
    assert manager.logs_command(5, follow=True) is None  # type: ignore[func-returns-value] # that is the point
    assert not manager.is_waiting()


def test_without_launchd_that_is_said(manager: Launchd, tmp_path: Path):
    (tmp_path / "fails").touch()
    assert (manager.missing() or "").startswith("launchd does not run for this user")
    with pytest.raises(ServiceError, match=r"`launchctl enable .*` failed: .*No such file"):
        Launchd({"PATH": "/nonexistent", "HOME": str(tmp_path)}).install(a_plain_spec(tmp_path))


def test_a_control_character_in_a_path_is_refused(tmp_path: Path):
    with pytest.raises(ServiceError, match="it holds a control character"):
        service_spec(Config(), Paths(tmp_path / "config.toml", tmp_path / "sta\x1bte", tmp_path / "data"), {})
