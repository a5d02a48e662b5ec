import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from claude_proxy.config import Config
from claude_proxy.errors import ServiceError
from claude_proxy.paths import Paths
from claude_proxy.service import systemd
from claude_proxy.service.supervisor import MEMORY_BASE, ServiceSpec, service_spec
from claude_proxy.service.systemd import Systemd

ROOT = Path(__file__).parents[2]
DEFAULTS = Config()
# In tenths; what keeps it from being less is in docs/service.md.
EXPOSURE = 57


@pytest.fixture
def manager(tmp_path: Path):
    """A Systemd whose `systemctl` writes down what it is asked, and fails when the file `fails` says so."""
    program = tmp_path / "bin" / "systemctl"
    program.parent.mkdir()
    program.write_text(
        f'#!/bin/sh\necho "$@" >> {shlex.quote(str(tmp_path / "asked"))}\n'
        f"if [ -e {shlex.quote(str(tmp_path / 'fails'))} ]; then echo 'it is broken' >&2; exit 4; fi\n"
    )
    program.chmod(0o755)
    return Systemd({"PATH": f"{program.parent}:/usr/bin:/bin", "HOME": str(tmp_path / "my home")})


def asked(tmp_path: Path) -> list[str]:
    file = tmp_path / "asked"
    lines = file.read_text().splitlines() if file.exists() else []
    file.unlink(missing_ok=True)
    return lines


@pytest.fixture
def places(tmp_path: Path) -> Paths:
    return Paths(config_file=tmp_path / "config.toml", state=tmp_path / "state", data=tmp_path / "data")


def test_the_files_in_the_repository_are_what_is_rendered():
    memory = MEMORY_BASE + 4 * DEFAULTS.max_body_total
    command = "%h/.local/bin/claude-proxy serve"
    service = systemd.render_service(command, drain=DEFAULTS.drain_timeout, environ={}, memory=memory)
    assert (ROOT / "systemd" / systemd.SERVICE).read_text() == service
    socket = systemd.render_socket([f"127.0.0.1:{DEFAULTS.port}", f"[::1]:{DEFAULTS.port}"])
    assert (ROOT / "systemd" / systemd.SOCKET).read_text() == socket


def test_a_service_runs_our_own_interpreter_and_is_given_the_time_to_drain(manager: Systemd, places: Paths):
    unit = manager.files(service_spec(Config(drain_timeout=100.0), places, {}))[manager.directory / systemd.SERVICE]
    assert f"ExecStart={sys.executable} -P -m claude_proxy serve\n" in unit
    assert "TimeoutStopSec=105\n" in unit


def test_words_survive_the_unit_file():
    assert systemd.command_line(["/my home/py", '50%"', "$HOME", "a\\b"]) == ':"/my home/py" "50%%\\"" $HOME "a\\\\b"'


def test_the_places_of_this_shell_go_into_the_service_and_its_secrets_do_not(places: Paths):
    environ = {
        "PATH": "/a b:/bin",
        "CLAUDE_CONFIG_DIR": "/c",
        "ANTHROPIC_API_KEY": "sk-ant-api03-secret",
        "XDG_STATE_HOME": "",
    }
    wanted = service_spec(DEFAULTS, places, environ)
    unit = systemd.render_service("x", drain=1, environ=wanted.environ, memory=None)
    assert 'Environment="PATH=/a b:/bin"\nEnvironment=CLAUDE_CONFIG_DIR=/c\n' in unit
    assert "ReadWritePaths=%h -%t -%T -%V -/c\n" in unit
    assert "secret" not in unit
    assert "XDG_STATE_HOME" not in unit


def test_the_memory_limit_follows_the_bound_on_request_bodies(manager: Systemd, places: Paths):
    limits = [
        next(
            line
            for line in manager.files(service_spec(Config(max_body_total=total), places, {}))[unit].splitlines()
            if "MemoryMax" in line
        )
        for unit in [manager.directory / systemd.SERVICE]
        for total in (256 * 1024**2, 1024**3, 0)
    ]
    assert limits == ["MemoryMax=2048M", "MemoryMax=5120M", "MemoryMax=infinity"]


def test_a_long_time_to_drain_is_a_plain_number(manager: Systemd, places: Paths):
    unit = manager.files(service_spec(Config(drain_timeout=31_536_000.0), places, {}))[
        manager.directory / systemd.SERVICE
    ]
    assert "TimeoutStopSec=31536005\n" in unit


@pytest.mark.parametrize("name", ["PATH", "CLAUDE_CONFIG_DIR"])
@pytest.mark.parametrize(
    "text", ["/a\nExecStart=/bin/evil", "/a\tb", "/a\x00", "/a\x85", "/a\u2028", os.fsdecode(b"/\xff")]
)
def test_what_a_unit_file_cannot_hold_is_refused(places: Paths, name: str, text: str):
    with pytest.raises(ServiceError, match="a service cannot be given '") as caught:
        service_spec(DEFAULTS, places, {name: text})
    assert caught.value.message.isascii()
    assert caught.value.message.isprintable()
    with pytest.raises(ServiceError):
        ServiceSpec(command=(text,), addresses=(), drain=1, log_file=Path("/log"))


def test_a_relative_directory_does_not_make_the_unit_invalid():
    unit = systemd.render_service("x", drain=1, environ={"CLAUDE_CONFIG_DIR": ".claude"}, memory=None)
    assert "ReadWritePaths=%h -%t -%T -%V\n" in unit


def test_units_are_for_this_user_alone(manager: Systemd, places: Paths):
    before = os.umask(0)
    manager.install(service_spec(DEFAULTS, places, {}))
    os.umask(before)
    modes = [path.stat().st_mode & 0o777 for path in (manager.directory, *manager.directory.iterdir())]
    assert modes == [0o700, 0o600, 0o600]


@pytest.mark.component("systemd")
@pytest.mark.parametrize(
    "name", ["my home", "$HOME", "${HOME}", 'a"b', "a'b", "a\\b", "100%h", "a;b", "žofie", "\N{SNOWMAN} $"]
)
def test_systemd_finds_an_interpreter_whatever_its_path(tmp_path: Path, name: str):
    program = tmp_path / name / "python"
    program.parent.mkdir()
    program.symlink_to("/bin/true")
    units = [tmp_path / systemd.SERVICE, tmp_path / systemd.SOCKET]
    environ = {"PATH": f"/{name}:/bin", "CLAUDE_CONFIG_DIR": f"/{name}"}
    command = systemd.command_line([str(program), "-m", name])
    units[0].write_text(systemd.render_service(command, drain=30, environ=environ, memory=None))
    units[1].write_text(systemd.render_socket(["127.0.0.1:8000"]))
    verify = ["systemd-analyze", "verify", *map(str, units)]
    done = subprocess.run(verify, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, [line for line in done.stderr.splitlines() if "claude-proxy" in line]) == (0, [])
    program.unlink()
    done = subprocess.run(verify, capture_output=True, text=True, timeout=60, check=False)
    assert set("'\"\\") & set(name) or "is not executable" in done.stderr  # so it was looked for


@pytest.mark.parametrize(
    ("host", "lines"),
    [
        ("127.0.0.1", ["ListenStream=127.0.0.1:8000"]),
        ("::1", ["ListenStream=[::1]:8000"]),
        ("localhost", ["ListenStream=127.0.0.1:8000", "ListenStream=[::1]:8000"]),
    ],
)
def test_the_socket_listens_where_the_settings_say(places: Paths, host: str, lines: list[str]):
    wanted = service_spec(Config(host=host), places, {})
    assert [line for line in systemd.render_socket(wanted.addresses).splitlines() if "Listen" in line] == lines


def test_installing_writes_enables_and_starts_and_uninstalling_leaves_nothing(
    manager: Systemd, places: Paths, tmp_path: Path
):
    wanted = service_spec(DEFAULTS, places, {})
    assert not manager.is_installed()
    assert not manager.is_current(wanted)
    manager.install(wanted)
    assert manager.is_installed()
    assert manager.is_current(wanted)
    assert not manager.is_current(service_spec(Config(port=1), places, {}))
    manager.start()
    assert asked(tmp_path) == [
        "--user daemon-reload",
        "--user enable claude-proxy.socket",
        "--user reset-failed claude-proxy.service claude-proxy.socket",
        "--user start claude-proxy.socket claude-proxy.service",
    ]
    manager.uninstall()
    assert list(manager.directory.iterdir()) == []
    assert asked(tmp_path)[:2] == [
        "--user stop claude-proxy.socket claude-proxy.service",
        "--user disable claude-proxy.socket",
    ]


def test_a_step_that_fails_is_told_in_the_manager_s_own_words(manager: Systemd, tmp_path: Path):
    assert manager.missing() is None
    assert manager.is_waiting()
    (tmp_path / "fails").touch()
    with pytest.raises(ServiceError, match=r"`systemctl --user stop .*` failed: it is broken"):
        manager.stop()
    assert manager.missing() == "systemd does not run for this user: it is broken"
    assert not manager.is_waiting()


def test_without_systemd_that_is_said():
    assert Systemd({"PATH": "/nonexistent", "HOME": "/x"}).missing() == "systemd is not installed"
    with pytest.raises(ServiceError, match=r"failed: .*No such file"):
        Systemd({"PATH": "/nonexistent", "HOME": "/x"}).run("/nonexistent/systemctl")


def test_units_that_cannot_be_written_are_explained(manager: Systemd, places: Paths, tmp_path: Path):
    manager.directory.parent.mkdir(parents=True)
    manager.directory.write_text("a file")
    with pytest.raises(ServiceError, match="cannot write"):
        manager.install(service_spec(DEFAULTS, places, {}))


def test_the_journal_is_asked_for_this_unit(manager: Systemd):
    command = ["journalctl", "--user", "--unit", "claude-proxy.service", "--lines", "5"]
    assert manager.logs_command(5, follow=False) == command
    assert manager.logs_command(5, follow=True) == [*command, "--follow"]


@pytest.mark.component("systemd")
def test_systemd_finds_no_fault_with_the_units_and_little_exposure(tmp_path: Path):
    units = [tmp_path / systemd.SERVICE, tmp_path / systemd.SOCKET]
    units[0].write_text(systemd.render_service("/bin/true serve", drain=30, environ={"PATH": "/bin"}, memory=2**31))
    units[1].write_text(systemd.render_socket(["127.0.0.1:8000", "[::1]:8000"]))
    command = ["systemd-analyze", "verify", *map(str, units)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, [line for line in done.stderr.splitlines() if "claude-proxy" in line]) == (0, [])
    command = [
        "systemd-analyze",
        "security",
        "--offline=true",
        "--json=short",
        f"--threshold={EXPOSURE}",
        str(units[0]),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, [row for row in json.loads(done.stdout) if row["set"] is False]


def test_the_readme_tells_the_exposure():
    assert f"an exposure of {EXPOSURE / 10}," in (ROOT / "docs/service.md").read_text("utf-8")
