import asyncio
import os
import socket
import sys
from asyncio.subprocess import PIPE
from contextlib import ExitStack

import pytest

from claude_proxy.server import peer
from tests.server.conftest import Serve
from tests.support.raw import told

linux = pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells whose a socket is")
root = pytest.mark.skipif(os.getuid() != 0, reason="becoming a second user needs root")

HEALTH = b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
# A program of another user: says something, and either listens to the answer or leaves at once.
PROGRAM = """
import os, socket, sys
os.setgroups([]), os.setgid(65534), os.setuid(65534)  # an interpreter that this user cannot reach is running already
link = socket.socket()
link.bind((sys.argv[4], 0))
link.connect(("127.0.0.1", int(sys.argv[1])))
link.sendall(sys.argv[2].encode())
if sys.argv[3] == "listen":
    while data := link.recv(65536):
        sys.stdout.write(data.decode())
"""


def pair(stack: ExitStack, host: str = "127.0.0.1") -> tuple[socket.socket, socket.socket]:
    """The two ends of a connection, the client's first."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = stack.enter_context(socket.create_server((host, 0), family=family))
    client = stack.enter_context(socket.create_connection(listener.getsockname()[:2]))
    return client, stack.enter_context(listener.accept()[0])


@linux
def test_this_system_can_tell() -> None:
    assert peer.can_tell()


@linux
@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_our_own_program_is_ours(host: str) -> None:
    with ExitStack() as stack:
        _, accepted = pair(stack, host)
        assert peer.is_ours(accepted)


@linux
def test_a_connection_whose_client_has_left_is_nobodys() -> None:
    with ExitStack() as stack:
        client, accepted = pair(stack)
        client.close()
        assert not peer.is_ours(accepted)


@linux
def test_a_client_that_only_ended_its_side_is_still_there() -> None:
    with ExitStack() as stack:
        client, accepted = pair(stack)
        client.shutdown(socket.SHUT_WR)
        assert peer.is_ours(accepted)


@linux
def test_a_connection_that_is_not_there_is_nobodys() -> None:
    assert peer._owner(socket.AF_INET, ("127.0.0.1", 1), ("127.0.0.1", 2)) is None


@linux
def test_a_program_that_listens_at_the_same_port_is_not_the_client() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        assert peer._owner(socket.AF_INET, listener.getsockname(), ("127.0.0.1", 2)) is None


class Accepted(socket.socket):
    """A socket with ends of our choice."""

    def __init__(self, remote: str, local: str) -> None:
        super().__init__(socket.AF_INET6 if ":" in remote else socket.AF_INET)
        self._remote, self._local = remote, local

    def getpeername(self) -> tuple[str, int]:
        return (self._remote, 4711)

    def getsockname(self) -> tuple[str, int]:
        return (self._local, 8000)


@pytest.mark.parametrize(("remote", "local"), [("192.0.2.7", "192.0.2.1"), ("2001:db8::7", "2001:db8::1")])
def test_another_machine_is_no_other_user_of_this_one(remote: str, local: str) -> None:
    with Accepted(remote, local) as accepted:
        assert peer.is_ours(accepted)


@linux
@pytest.mark.parametrize(
    ("remote", "local"),
    [("127.0.0.1", "127.0.0.1"), ("192.0.2.7", "127.0.0.1"), ("2001:db8::7", "::1"),
     ("::ffff:127.0.0.1", "::ffff:127.0.0.1"), ("::ffff:192.0.2.7", "::ffff:127.0.0.1")],
)  # fmt: skip
def test_what_comes_by_loopback_is_of_this_machine_whatever_it_says(remote: str, local: str) -> None:
    with Accepted(remote, local) as accepted:
        assert not peer.is_ours(accepted)


def test_a_system_without_an_answer_cannot_tell(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr(peer, "_owner", refused)
    assert not peer.can_tell()
    monkeypatch.setattr(sys, "platform", "other")
    assert not peer.can_tell()


async def test_a_connection_that_is_gone_before_it_is_looked_at_is_dropped(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(_: socket.socket) -> bool:
        raise OSError

    async with serve(same_user=False) as served:
        served.server.room.same_user = True
        monkeypatch.setattr(peer, "is_ours", gone)
        assert b"forbidden_user" in await told(served.url, HEALTH)


def test_the_other_end_of_a_unix_socket_is_ours() -> None:
    left, right = socket.socketpair()
    with left, right:
        assert peer.is_ours(left)


async def someone_else(url: str, data: bytes, *, listen: bool, source: str = "127.0.0.1") -> bytes:
    """What the server says to a program of another user."""
    port, then = url.rpartition(":")[2], "listen" if listen else "leave"
    made = await asyncio.create_subprocess_exec(
        sys.executable, "-I", "-S", "-c", PROGRAM, port, data.decode(), then, source, stdout=PIPE
    )
    said, _ = await made.communicate()
    assert made.returncode == 0
    return said


@linux
@root
async def test_another_users_program_is_refused(serve: Serve) -> None:
    async with serve() as served:
        reply = await someone_else(served.url, HEALTH, listen=True)
        assert reply.startswith(b"HTTP/1.1 403 Forbidden\r\n")
        assert b'"code":"forbidden_user"' in reply
        assert (await told(served.url, HEALTH)).startswith(b"HTTP/1.1 200 ")


@linux
@root
async def test_another_user_who_binds_this_machines_own_address_is_refused(serve: Serve) -> None:
    async with serve() as served:
        reply = await someone_else(served.url, HEALTH, listen=True, source=own_address())
        assert b'"code":"forbidden_user"' in reply


def own_address() -> str:
    """An address of this machine that is no loopback one. Nothing is sent for it."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as trial:
        try:
            trial.connect(("192.0.2.1", 9))
        except OSError:
            pytest.skip("this machine has no address beside loopback")
        return str(trial.getsockname()[0])


@linux
@root
async def test_another_users_request_that_is_sent_and_abandoned_causes_nothing(serve: Serve) -> None:
    head = b"POST /v1/messages HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    ask = head + b"Content-Length: 2\r\n\r\n{}"
    async with serve() as served:
        await asyncio.gather(*(someone_else(served.url, ask, listen=False) for _ in range(3)))
        assert (await told(served.url, HEALTH)).startswith(b"HTTP/1.1 200 ")
        assert (served.sent(), served.state.counters.served) == ([], 0)


@linux
@root
async def test_the_setting_lets_other_users_in(serve: Serve) -> None:
    async with serve(same_user=False) as served:
        assert (await someone_else(served.url, HEALTH, listen=True)).startswith(b"HTTP/1.1 200 ")


async def test_where_nobody_can_tell_everyone_comes_in_and_the_log_says_so(
    serve: Serve, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(peer, "can_tell", lambda: False)
    async with serve() as served:
        assert (await told(served.url, HEALTH)).startswith(b"HTTP/1.1 200 ")
    assert ("programs of other users are not refused" in caplog.text) is (sys.platform == "linux")
