import os
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from claude_proxy.service import notify
from claude_proxy.service.notify import Notifier


@pytest.fixture
def manager():
    """A manager's socket, bound at a path short enough for one."""
    with tempfile.TemporaryDirectory() as directory, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as server:
        server.bind(str(Path(directory) / "notify"))
        server.settimeout(10)
        yield server


def test_a_manager_hears_that_the_service_is_ready_alive_and_stopping(manager: socket.socket):
    environ = {"NOTIFY_SOCKET": manager.getsockname(), "OTHER": "stays"}
    notifier = Notifier(environ)
    assert environ == {"OTHER": "stays"}
    notifier.ready("listening")
    notifier.beat("1 open")
    notifier.stopping("waiting")
    assert [manager.recv(1000) for _ in range(3)] == [
        b"READY=1\nSTATUS=listening",
        b"WATCHDOG=1\nSTATUS=1 open",
        b"STOPPING=1\nSTATUS=waiting",
    ]


@pytest.mark.skipif(sys.platform != "linux", reason="abstract sockets are Linux's")
def test_an_abstract_address_is_understood():
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as server:
        server.bind(f"\0claude-proxy-test-{os.getpid()}")
        server.settimeout(10)
        Notifier({"NOTIFY_SOCKET": f"@claude-proxy-test-{os.getpid()}"}).beat("here")
        assert server.recv(1000) == b"WATCHDOG=1\nSTATUS=here"


def test_without_a_manager_nobody_is_told():
    Notifier({}).ready("listening")


def test_a_manager_that_went_away_disturbs_nobody(tmp_path: Path):
    notifier = Notifier({"NOTIFY_SOCKET": str(tmp_path / "gone")})
    notifier.ready("listening")
    notifier.beat("still here")


@pytest.mark.parametrize(
    ("variables", "interval"),
    [
        ({}, None),
        ({"WATCHDOG_USEC": "30000000"}, 10),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": str(os.getpid())}, 10),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
    ],
)
def test_a_watchdog_that_waits_for_this_process_is_fed_three_times_as_often(variables: dict, interval: float | None):
    assert Notifier(variables).interval == interval
    assert variables == {}


def test_sockets_meant_for_another_process_are_left_alone():
    environ = {"LISTEN_FDS": "1", "LISTEN_PID": "1", "LISTEN_FDNAMES": "x"}
    assert notify.listening_sockets(environ) == []
    assert environ == {}
    assert notify.listening_sockets({"LISTEN_FDS": "many", "LISTEN_PID": str(os.getpid())}) == []


def test_sockets_of_the_manager_are_taken_over(tmp_path: Path):
    program = (
        "import os\n"
        "os.environ['LISTEN_PID'] = str(os.getpid())\n"
        "from claude_proxy.service.notify import listening_sockets\n"
        "taken, = listening_sockets(os.environ)\n"
        "print(taken.getsockname()[1], taken.get_inheritable(), 'LISTEN_FDS' in os.environ)\n"
    )
    with socket.create_server(("127.0.0.1", 0)) as server:
        # As the manager does it: the first socket is descriptor 3, whatever else is open.
        command = ["bash", "-c", f'exec "$0" -c "$1" 3<&{server.fileno()}', sys.executable, program]
        environ = {**os.environ, "LISTEN_FDS": "1", "PYTHONPATH": str(Path(__file__).parents[2])}
        done = subprocess.run(
            command, env=environ, pass_fds=[server.fileno()], capture_output=True, text=True, check=True, timeout=60
        )
        assert done.stdout == f"{server.getsockname()[1]} False False\n"


def test_who_runs_the_daemon_is_told_by_its_environment():
    assert notify.manager({}) == "foreground"
    assert notify.manager({"SYSTEMD_EXEC_PID": "1"}) == "foreground"
    assert notify.manager({"SYSTEMD_EXEC_PID": str(os.getpid())}) == "systemd"
    assert notify.manager({"XPC_SERVICE_NAME": "0"}) == "foreground"
    assert notify.manager({"XPC_SERVICE_NAME": "local.claude-proxy"}) == "launchd"


def test_the_journal_is_recognised_by_its_socket():
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as stream:
        info = os.fstat(stream.fileno())
        environ = {"JOURNAL_STREAM": f"{info.st_dev}:{info.st_ino}"}
        assert notify.logs_to_journal(environ, stream.fileno())
        assert not notify.logs_to_journal({}, stream.fileno())
    with (Path(os.devnull)).open() as other:
        assert not notify.logs_to_journal(environ, other.fileno())
    assert not notify.logs_to_journal(environ, 1 << 20)
