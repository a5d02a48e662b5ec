import socket
import threading
from pathlib import Path

import pytest

from claude_proxy.errors import ServiceError
from claude_proxy.service import probe


def answering(*parts: bytes) -> str:
    """The address of a server that gives one answer."""
    server = socket.create_server(("127.0.0.1", 0))

    def answer() -> None:
        with server, server.accept()[0] as client:
            client.recv(65536)
            for part in parts:
                client.sendall(part)

    threading.Thread(target=answer, daemon=True).start()
    return f"http://127.0.0.1:{server.getsockname()[1]}"


def test_an_object_is_returned_whatever_the_status(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    url = answering(b"HTTP/1.1 503 Stopping\r\nContent-Length: 15\r\n\r\n", b'{"ok": false}\r\n')
    assert probe.get_json(url, "/health") == {"ok": False}


@pytest.mark.parametrize(
    "answer",
    [b"", b"SSH-2.0-OpenSSH_9.2\r\n", b"HTTP/1.1 200 OK\r\n\r\n<html>", b"HTTP/1.1 200 OK\r\n\r\n[1]", b"\xff" * 100],
)
def test_what_is_no_object_is_nothing(answer: bytes):
    assert probe.get_json(answering(answer), "/health") is None


def test_a_port_that_nobody_listens_on_is_nothing():
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}"
    assert probe.get_json(url, "/health") is None


def test_a_silent_port_is_nothing_in_bounded_time():
    with socket.create_server(("127.0.0.1", 0)) as server:
        assert probe.get_json(f"http://127.0.0.1:{server.getsockname()[1]}", "/health", timeout=0.05) is None


def test_a_key_is_read_from_its_file_each_time(tmp_path: Path):
    file = tmp_path / "key"
    file.write_text("the-key-of-the-door\n")
    assert probe.key_headers(str(file)) == {"Authorization": "Bearer the-key-of-the-door"}
    assert probe.key_headers(None) == {}
    file.unlink()
    with pytest.raises(ServiceError, match=r"cannot read the daemon's key in .*/key"):
        probe.key_headers(str(file))


def test_whatever_address_is_asked_the_name_is_one_that_is_let_in():
    with socket.create_server(("127.0.0.1", 0)) as server:
        heard: list[bytes] = []

        def hear() -> None:
            with server.accept()[0] as client:
                heard.append(client.recv(65536))

        listener = threading.Thread(target=hear)
        listener.start()
        probe.get_json(f"http://127.0.0.1:{server.getsockname()[1]}", "/status", headers={"X-Other": "1"})
        listener.join(10)
    assert b"Host: localhost\r\n" in heard[0]
    assert b"X-Other: 1\r\n" in heard[0]
