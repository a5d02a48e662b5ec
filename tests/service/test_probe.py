import socket
import threading

import pytest

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
