"""Programs of other users of this machine get no answer."""

import asyncio
import os
import socket
import sys
from asyncio.subprocess import PIPE

import pytest

from claude_proxy.transport import peer
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


async def test_a_connection_that_is_gone_before_it_is_looked_at_is_dropped(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(_: socket.socket) -> bool:
        raise OSError

    async with serve(same_user=False) as served:
        served.server.connection_limit.same_user = True
        monkeypatch.setattr(peer, "is_ours", gone)
        assert b"forbidden_user" in await told(served.url, HEALTH)


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
