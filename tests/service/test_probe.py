import contextlib
import json
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from claude_proxy.errors import ServiceError
from claude_proxy.service import probe
from claude_proxy.service.record import Record
from tests.service.conftest import record_of

INSTANCE = "ab" * 16
HEALTH = json.dumps({"status": "ok", "instance": INSTANCE}).encode()


def response(body: bytes, status: str = "200 OK") -> bytes:
    return b"HTTP/1.1 %s\r\nContent-Length: %d\r\n\r\n%s" % (status.encode(), len(body), body)


@contextlib.contextmanager
def daemon(*replies: bytes) -> Iterator[tuple[Record, list[bytes]]]:
    """A server that sends one reply per request on its first connection, and what it receives."""
    received: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            with contextlib.suppress(OSError), server.accept()[0] as client:
                for reply in replies:
                    received.append(client.recv(65536))
                    client.sendall(reply)
                received.append(client.recv(65536))

        listener = threading.Thread(target=serve)
        listener.start()
        yield record_of(1234, instance=INSTANCE, url=f"http://127.0.0.1:{server.getsockname()[1]}"), received
    listener.join(10)


@pytest.mark.parametrize("status", ["200 OK", "503 Stopping"])
def test_an_object_is_returned_with_any_status(monkeypatch: pytest.MonkeyPatch, status: str):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    with daemon(response(HEALTH), response(b'{"ok": false}', status)) as (record, received):
        assert probe.get_json(record, "/status") == {"ok": False}
    assert [each.split(b" ", 2)[1] for each in received[:2]] == [b"/health", b"/status"]


@pytest.mark.parametrize("answer", [b"<html>", b"[1]", b"", b"[" * 100_000])
def test_an_answer_that_is_no_object_is_none(answer: bytes):
    with daemon(response(HEALTH), response(answer)) as (record, _):
        assert probe.get_json(record, "/status") is None


@pytest.mark.parametrize(
    "reply",
    [
        b"",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"\xff" * 100,
        response(b"<html>"),
        response(b"{}"),
        response(HEALTH.replace(b"ab", b"cd")),
    ],
)
def test_a_stranger_on_the_port_gets_neither_key_nor_prompt(tmp_path: Path, reply: bytes):
    file = tmp_path / "key"
    file.write_text("the-key-of-the-daemon")
    with daemon(reply, response(b"{}")) as (record, received):
        with pytest.raises(ServiceError, match="does not answer"):
            probe.get_json(structs_with_key(record, file), "/status")
        assert not probe.is_itself(record)
    assert len(b"".join(received).split(b"\r\n\r\n")) == 2  # the proof was asked for, and nothing else
    assert b"the-key" not in b"".join(received)


def structs_with_key(record: Record, file: Path) -> Record:
    return record_of(record.pid, instance=record.instance, url=record.url, key_file=str(file))


def test_what_is_sent_goes_to_the_connection_that_was_verified():
    with daemon(response(HEALTH) + b"") as (record, _):
        connection = probe.connect(record, timeout=5)
        assert connection.sock is not None
        connection.sock.close()
        connection.close()
        with pytest.raises(Exception, match=r"^$"):  # http.client's NotConnected has no text
            connection.request("POST", "/openai/v1/chat/completions", b"a prompt")


def test_a_daemon_without_an_address_is_not_asked():
    with pytest.raises(ServiceError, match="it does not listen, because it is starting or stopping"):
        probe.connect(record_of(1234), timeout=1)


def test_a_port_without_a_listener_is_an_error():
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}"
    with pytest.raises(ServiceError, match=r"the daemon \(pid 1234\) does not answer: .*refused"):
        probe.get_json(record_of(1234, url=url), "/status")


def test_a_silent_port_is_an_error_in_bounded_time():
    with socket.create_server(("127.0.0.1", 0)) as server:
        record = record_of(1234, url=f"http://127.0.0.1:{server.getsockname()[1]}")
        with pytest.raises(ServiceError, match="does not answer: timed out"):
            probe.get_json(record, "/status", timeout=0.05)


def test_a_key_is_read_from_its_file_each_time(tmp_path: Path):
    file = tmp_path / "key"
    file.write_text("the-key-of-the-daemon\n")
    assert probe.key_headers(str(file)) == {"Authorization": "Bearer the-key-of-the-daemon"}
    assert probe.key_headers(None) == {}
    with daemon(response(HEALTH), response(b"{}")) as (record, received):
        probe.get_json(structs_with_key(record, file), "/status", headers={"X-Other": "1"})
    assert b"the-key" not in received[0]
    assert b"Authorization: Bearer the-key-of-the-daemon\r\n" in received[1]
    assert b"X-Other: 1\r\n" in received[1]
    assert all(b"Host: localhost\r\n" in each for each in received[:2])
    file.unlink()
    with pytest.raises(ServiceError, match=r"cannot read the daemon's key in .*/key"):
        probe.key_headers(str(file))
