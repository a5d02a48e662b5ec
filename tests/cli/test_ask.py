import json
import socket
import threading

import pytest

from claude_proxy.cli import ask
from claude_proxy.errors import ProxyError
from tests.service.conftest import record_of

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"


def chunk(**delta: object) -> bytes:
    return b"data: " + json.dumps({"choices": [{"index": 0, "delta": delta}]}).encode() + b"\n\n"


def answer_of(*parts: bytes) -> list[str]:
    """The deltas of an answer whose bytes are `parts`."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            with server.accept()[0] as client:
                client.recv(65536)
                client.sendall(b'HTTP/1.1 200 OK\r\nContent-Length: 17\r\n\r\n{"instance": "i"}')
                client.recv(65536)
                client.sendall(b"".join(parts))
                client.shutdown(socket.SHUT_WR)
                while client.recv(65536):  # a request that is left unread would reset the connection
                    pass

        threading.Thread(target=answer, daemon=True).start()
        record = record_of(1234, instance="i", url=f"http://127.0.0.1:{server.getsockname()[1]}")
        return list(ask._stream_answer(record, {"model": "m"}))


def test_the_pieces_of_an_answer_come_in_order_and_end_with_done():
    first, last = chunk(role="assistant", content=""), b'data: {"choices": []}\n\n'
    parts = [
        HEAD,
        first,
        b": comment\n\n",
        chunk(content="Hel"),
        chunk(content="lo"),
        chunk(),
        last,
        b"data: [DONE]\n\n",
    ]
    assert [piece for piece in answer_of(*parts) if piece] == ["Hel", "lo"]


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ([HEAD, chunk(content="Hel")], "the answer was cut off"),
        ([HEAD, b'data: {"error": {"message": "overloaded"}}\n\n'], "overloaded"),
        ([b'HTTP/1.1 404 No\r\n\r\n{"error": {"message": "no such model"}}'], "no such model"),
        ([b"HTTP/1.1 500 No\r\n\r\n<html>"], "the daemon's answer cannot be read"),
        ([HEAD, b"data: {\n\n"], "the answer cannot be read"),
        ([HEAD, b"data: {}\n\n"], "the answer cannot be read"),
        ([b"SSH-2.0\r\n"], "the daemon does not answer"),
        ([], "the daemon does not answer"),
    ],
)
def test_an_answer_that_does_not_come_to_its_end_is_an_error(parts: list[bytes], message: str):
    with pytest.raises(ProxyError, match=message):
        answer_of(*parts)


def test_a_terminal_is_given_nothing_to_act_on():
    assert ask._CONTROL.sub("", "a\x1b]0;title\x07b\tc\nd\x9b") == "a]0;titleb\tc\nd"
