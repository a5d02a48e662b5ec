import errno
import os
import socket

import psutil
import pytest

from claude_proxy.errors import ServiceError
from claude_proxy.service import ports


@pytest.fixture
def taken():
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_a_free_port_is_free_and_stays_free():
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    ports.check_free("127.0.0.1", port)
    ports.check_free("127.0.0.1", port)


def test_any_port_is_always_free():
    ports.check_free("127.0.0.1", 0)


def test_a_taken_port_names_its_owner_and_what_to_do(taken: int):
    with pytest.raises(ServiceError) as caught:
        ports.check_free("localhost", taken)
    assert caught.value.message == f"port {taken} is in use by {psutil.Process().name()} (pid {os.getpid()})"
    assert "--port 0" in (caught.value.hint or "")


def test_an_owner_that_the_system_hides_is_another_program(taken: int, monkeypatch: pytest.MonkeyPatch):
    def refuse(_: str) -> list[object]:
        raise psutil.AccessDenied

    monkeypatch.setattr(psutil, "net_connections", refuse)
    with pytest.raises(ServiceError, match=f"port {taken} is in use by another program"):
        ports.check_free("127.0.0.1", taken)


def test_a_free_port_has_no_owner():
    assert ports.owner_of(0) is None


@pytest.mark.parametrize(
    ("number", "message"),
    [(errno.EACCES, "port 80 needs privileges"), (errno.EADDRNOTAVAIL, "cannot listen on ::1:80: Cannot")],
)
def test_other_reasons_are_told_apart(number: int, message: str):
    assert ports.cannot_listen("::1", 80, OSError(number, "")).message.startswith(message)


def test_an_address_that_this_machine_lacks_is_told_unless_localhost_has_another(monkeypatch: pytest.MonkeyPatch):
    found = socket.getaddrinfo("127.0.0.1", 1, type=socket.SOCK_STREAM)
    absent = [(*found[0][:4], ("192.0.2.1", 65000))]  # reserved for documentation: nobody's address
    free = [(*found[0][:4], ("127.0.0.1", 0))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: absent + free)
    ports.check_free("localhost", 65000)
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: absent)
    with pytest.raises(ServiceError, match="cannot listen"):
        ports.check_free("localhost", 65000)
