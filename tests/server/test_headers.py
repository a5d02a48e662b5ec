import pytest

from claude_proxy.server.headers import EXPOSED, HEADERS, header_safe, warnings_value
from tests.server.conftest import Serve
from tests.support.raw import LAST_CHUNK, SSE_HEAD, Connection, chunk

PAGE = {"Origin": "https://page.example"}
OF_HTTP = {"content-type", "content-length", "transfer-encoding", "date", "vary", "cache-control", "connection"}
REPLY = (
    b'data: {"type":"message_start","message":{"id":"msg_1","usage":{"input_tokens":1,"output_tokens":1}}}\n\n'
    b'data: {"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":2}}\n\n'
    b'data: {"type":"message_stop"}\n\n'
)


def test_a_header_cannot_become_two_and_is_bounded() -> None:
    safe = header_safe({"a": "x\r\nb: y", "b": "\u00e4", "c": "z" * 5000, "d": "fine"})
    assert safe == {"c": "z" * 1024, "d": "fine"}


def test_a_parameter_with_any_name_is_named_in_ascii() -> None:
    assert warnings_value(["seed", "gr\u00f6\u00dfe", "a\r\nb: c"]) == "seed, gr\\xf6\\xdfe, a\\r\\nb: c"
    assert len(warnings_value(["x" * 900] * 9)) == 1024


@pytest.mark.parametrize("stream", [False, True])
async def test_every_header_of_a_reply_stands_in_the_table(serve: Serve, stream: bool) -> None:
    async def play(peer: Connection) -> None:
        while True:
            await peer.request()
            await peer.send(SSE_HEAD + chunk(REPLY) + LAST_CHUNK)

    ask = {"model": "claude-sonnet-5", "messages": [{"role": "user", "content": "hi"}], "stream": stream}
    async with serve(play, allowed_origins=("https://page.example",)) as served:
        reply = await served.client.post(
            "/openai/v1/chat/completions", json={**ask, "seed": 1, "\u00fc": 2}, headers=PAGE
        )
        names = {name.lower() for name in reply.headers}
    assert reply.status == 200
    assert {name for name in names - OF_HTTP - HEADERS.keys() if not name.startswith("access-control-")} == set()
    assert reply.headers["x-claude-proxy-warnings"] == "\\xfc, seed"
    assert reply.headers["request-id"] == reply.headers["x-request-id"]
    assert reply.headers["access-control-expose-headers"] == EXPOSED
    assert "x-claude-proxy-model" in EXPOSED.split(", ")
