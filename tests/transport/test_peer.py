import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest

from claude_proxy.transport import peer

linux = pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells whose a socket is")
root = pytest.mark.skipif(os.getuid() != 0, reason="becoming a second user needs root")


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
def test_a_connection_whose_client_has_left_is_not_ours() -> None:
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
def test_a_connection_that_is_not_there_is_not_ours() -> None:
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
def test_another_machine_is_not_another_user_of_this_one(remote: str, local: str) -> None:
    with Accepted(remote, local) as accepted:
        assert peer.is_ours(accepted)


@linux
@pytest.mark.parametrize(
    ("remote", "local"),
    [("127.0.0.1", "127.0.0.1"), ("192.0.2.7", "127.0.0.1"), ("2001:db8::7", "::1"),
     ("::ffff:127.0.0.1", "::ffff:127.0.0.1"), ("::ffff:192.0.2.7", "::ffff:127.0.0.1")],
)  # fmt: skip
def test_a_loopback_connection_is_of_this_machine_whatever_its_other_address(remote: str, local: str) -> None:
    with Accepted(remote, local) as accepted:
        assert not peer.is_ours(accepted)


def test_a_system_without_an_answer_cannot_tell(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr(peer, "_owner", refused)
    assert not peer.can_tell()
    monkeypatch.setattr(sys, "platform", "other")
    assert not peer.can_tell()


def test_the_other_end_of_a_unix_socket_is_ours() -> None:
    left, right = socket.socketpair()
    with left, right:
        assert peer.is_ours(left)


# A server of another user: listens, prints its port, and accepts a connection only if it is told to.
SERVER = """
import os, socket, sys
os.setgroups([]), os.setgid(65534), os.setuid(65534)
listener = socket.create_server(("127.0.0.1", 0))
if sys.argv[1] == "defer":
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT, 60)
print(listener.getsockname()[1], flush=True)
if sys.argv[1] == "accept":
    accepted, _ = listener.accept()
    print("accepted", flush=True)
sys.stdin.read()
"""


@contextmanager
def foreign_server(mode: str) -> Iterator["subprocess.Popen[str]"]:
    made = subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", SERVER, mode], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with made:
        try:
            yield made
        finally:
            made.kill()


@linux
@root
@pytest.mark.parametrize("mode", ["accept", "wait", "defer"])
def test_another_users_server_is_foreign_whether_it_has_accepted_the_connection_or_not(mode: str) -> None:
    with foreign_server(mode) as server:
        assert server.stdout is not None
        with socket.create_connection(("127.0.0.1", int(server.stdout.readline()))) as client:
            if mode == "accept":
                server.stdout.readline()
            assert peer.is_foreign_server(client)


@linux
@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_our_own_server_is_not_foreign_whether_it_has_accepted_the_connection_or_not(host: str) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with ExitStack() as stack:
        listener = stack.enter_context(socket.create_server((host, 0), family=family))
        client = stack.enter_context(socket.create_connection(listener.getsockname()[:2]))
        assert not peer.is_foreign_server(client)
        stack.enter_context(listener.accept()[0])
        assert not peer.is_foreign_server(client)


@linux
@pytest.mark.parametrize(("uid", "foreign"), [(os.getuid(), False), (0, False), (os.getuid() + 1, True)])
def test_a_server_is_foreign_unless_it_is_ours_or_roots(
    uid: int, foreign: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(peer, "_owner", lambda *_: peer.Owner(uid, 1))
    with ExitStack() as stack:
        client, _ = pair(stack)
        assert peer.is_foreign_server(client) is foreign


def test_where_the_system_cannot_tell_no_server_is_foreign(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object) -> None:
        raise PermissionError

    with ExitStack() as stack:
        client, _ = pair(stack)
        monkeypatch.setattr(peer, "_owner", refused)
        assert not peer.is_foreign_server(client)
        monkeypatch.setattr(sys, "platform", "other")
        assert not peer.is_foreign_server(client)
