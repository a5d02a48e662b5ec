"""What happens when commands meet each other, or a machine that is not as it should be."""

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from claude_proxy.paths import paths
from claude_proxy.service import daemon, process
from claude_proxy.service.lock import is_locked
from tests.cli.conftest import COMMAND, Run, Spawn, environment
from tests.support.waiting import until

START = ("start", "--simulator", "--port", "0")


def test_twenty_starts_at_once_give_one_daemon(spawn: Spawn):
    starts = [spawn(*START) for _ in range(20)]
    said = [each.communicate(timeout=120) for each in starts]
    assert [each.returncode for each in starts] == [0] * 20
    assert len({out.splitlines()[0] for out, _ in said}) == 1
    assert sum("claude-proxy started" in err for _, err in said) == 1
    assert sum("already running" in err for _, err in said) == 19


def test_six_daemons_in_the_foreground_at_once_leave_one(spawn: Spawn):
    daemons = [spawn("serve", "--simulator", "--port", "0") for _ in range(6)]
    until(lambda: sum(each.poll() is None for each in daemons) == 1)
    (one,) = [each for each in daemons if each.poll() is None]
    until(lambda: daemon.find(paths()))
    found = daemon.find(paths())
    assert found is not None
    assert found.pid == one.pid
    for other in daemons:
        if other is not one:
            assert other.returncode == 1
            assert "claude-proxy is already running" in other.communicate()[1]


def test_a_stop_during_a_start_waits_for_it_and_ends_what_it_started(spawn: Spawn, run: Run):
    start = spawn(*START)
    until(lambda: is_locked(paths().command_lock_file))
    stop = run("stop")
    assert (stop.returncode, start.wait(60)) == (0, 0)
    assert "claude-proxy stopped" in stop.stderr
    assert run("status").returncode == 3


def test_stops_and_starts_in_any_order_leave_one_daemon_or_none(spawn: Spawn, run: Run):
    commands = [spawn(*command) for command in [START, ["stop"], START, ["stop"], START, ["restart", *START[1:]]]]
    assert [each.wait(120) for each in commands] == [0] * 6
    assert run("status").returncode in (0, 3)


def test_after_kill_9_a_start_just_works(run: Run):
    assert run(*START).returncode == 0
    first = daemon.find(paths())
    assert first is not None
    os.kill(first.pid, signal.SIGKILL)
    until(lambda: run("status").returncode == 3)
    assert paths().pid_file.exists()
    assert "claude-proxy is not running" in run("stop").stderr
    assert run(*START).returncode == 0


def test_a_leftover_that_names_a_foreign_process_never_harms_it(run: Run):
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as foreign:
        assert run(*START).returncode == 0
        known = json.loads(paths().pid_file.read_text())
        assert run("stop").returncode == 0
        known |= {"pid": foreign.pid, "started": process.start_time(foreign.pid)}
        paths().pid_file.write_text(json.dumps(known))
        assert run("status").returncode == 3
        assert "not running" in run("stop").stderr
        assert run(*START).returncode == 0
        assert run("stop").returncode == 0
        assert foreign.poll() is None
        foreign.kill()


@pytest.mark.parametrize("text", ['{"pid": -1}', "-1", "", "\0"])
def test_a_broken_pidfile_stops_nothing_and_nobody(run: Run, text: str):
    paths().state.mkdir(parents=True)
    paths().pid_file.write_text(text)
    assert run("status").returncode == 3
    assert run("stop").returncode == 0


def test_a_link_in_place_of_the_log_is_not_written_through(run: Run, tmp_path: Path):
    precious = tmp_path / "precious"
    precious.write_text("mine")
    paths().state.mkdir(parents=True)
    paths().log_file.symlink_to(precious)
    done = run(*START)
    assert done.returncode == 1
    assert done.stderr.startswith(f"error: cannot write {paths().log_file}")
    assert precious.read_text() == "mine"


def test_a_port_of_another_program_is_left_alone_and_the_program_named(run: Run):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        for command in ("start", "serve"):
            done = run(command, "--simulator", "--port", str(port))
            assert (done.returncode, done.stdout) == (1, "")
            assert f"error: port {port} is in use by " in done.stderr
            assert f"(pid {os.getpid()})" in done.stderr


def test_a_home_with_blanks_and_other_letters_is_a_home(run: Run, tmp_path: Path):
    home = tmp_path / "Žofie's  домашняя \N{HOUSE BUILDING}"
    home.mkdir()
    variables = {"HOME": str(home)} | {f"XDG_{name}_HOME": str(home / name.lower()) for name in ("CONFIG", "STATE")}
    assert run("config", "init", **variables).stdout.strip() == str(home / "config" / "claude-proxy" / "config.toml")
    assert run(*START, **variables).returncode == 0
    assert run("status", **variables).returncode == 0
    assert run("restart", **variables).returncode == 0
    assert "listening" in run("logs", **variables).stdout
    assert run("stop", **variables).returncode == 0
    assert (home / "state" / "claude-proxy" / "claude-proxy.log").stat().st_mode & 0o777 == 0o600


def test_a_file_in_place_of_the_state_directory_is_explained(run: Run, tmp_path: Path):
    (tmp_path / "file").write_text("")
    done = run(*START, XDG_STATE_HOME=str(tmp_path / "file"), XDG_RUNTIME_DIR="")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("error: cannot write ")
    assert "hint: make " in done.stderr


def test_a_user_without_a_home_is_told(run: Run):
    nobody = {"HOME": "", "XDG_STATE_HOME": "", "XDG_CONFIG_HOME": ""}
    program = (
        "import os, sys, claude_proxy.cli.status; from claude_proxy.cli.main import main\n"
        "os.setuid(54321); sys.argv[1:] = ['status']; main()"
    )
    if os.getuid() != 0:
        pytest.skip("only root can become a user without a home")
    environ = {name: text for name, text in environment(**nobody).items() if name not in nobody}
    done = subprocess.run(
        [sys.executable, "-c", program], env=environ, capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: this user has no home directory\n")


@pytest.mark.component("systemd-user")
def test_a_read_only_home_is_no_obstacle_where_a_session_has_a_directory(tmp_path: Path, home: Path):
    script = (
        'mount --bind "$HOME" "$HOME"; mount -o remount,ro,bind "$HOME"; "$@" start --simulator --port 0; "$@" stop'
    )
    environ = environment(XDG_RUNTIME_DIR=str(tmp_path), XDG_STATE_HOME=str(home / ".local" / "state"))
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-ec", script, "sh", *COMMAND],
        env=environ,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "claude-proxy" / "claude-proxy.log").exists()
    assert not (home / ".local" / "state" / "claude-proxy").exists()


def test_the_daemon_keeps_no_directory_and_no_terminal_busy(run: Run):
    assert run(*START).returncode == 0
    found = daemon.find(paths())
    assert found is not None
    assert os.getsid(found.pid) == found.pid
    assert Path(f"/proc/{found.pid}/cwd").readlink() == Path("/")
    assert Path(f"/proc/{found.pid}/fd/0").readlink() == Path(os.devnull)
    command = Path(f"/proc/{found.pid}/cmdline").read_bytes().split(b"\0")
    assert b"serve" in command
    assert found.instance.encode() not in command
