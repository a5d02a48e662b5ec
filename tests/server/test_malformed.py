"""What a client may send that is no good request: a 4xx in shape or a closed connection, never a 5xx, never a hang."""

import asyncio
import json
import random
from collections.abc import Iterator
from typing import Any

import pytest

from tests.server.conftest import Serve, Served
from tests.server.test_faults import WHOLE
from tests.support.raw import LAST_CHUNK, SSE_HEAD, Connection, chunk, told

HEAD = b"POST /openai/v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
GOOD: dict[str, Any] = {
    "model": "claude-sonnet-5",
    "messages": [
        {"role": "system", "content": "be brief"},
        {"role": "user", "content": [{"type": "text", "text": "hi"}]},
        {"role": "assistant", "content": None, "tool_calls": [
            {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{}"}}]},
        {"role": "tool", "tool_call_id": "call_1", "content": "42"},
    ],
    "tools": [{"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {}}}}],
    "temperature": 0.5,
    "max_tokens": 10,
    "stop": ["x"],
    "stream": False,
    "response_format": {"type": "text"},
}  # fmt: skip


def post(body: bytes, *more: bytes) -> bytes:
    head = HEAD + b"Connection: close\r\n" + b"".join(line + b"\r\n" for line in more)
    return head + b"Content-Length: %d\r\n\r\n" % len(body) + body


# --------------------------------------------------------------------------------------------- the shape of HTTP

OTHER_HTTP = [
    b"\r\n" * 100,
    b"GET\r\n\r\n",
    b"GET /\r\n\r\n",
    b"GET / HTTP/1.1\r\n\r\n",
    b"GET / HTTP/1.1\nHost: localhost\n\n",
    b"GET  /  HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"GET / HTTP/2.0\r\nHost: localhost\r\n\r\n",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"get / http/1.1\r\nhost: localhost\r\n\r\n",
    b"FOO / HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"CONNECT localhost:80 HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"CONNECT /x HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"OPTIONS * HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"GET http://localhost/health HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"GET http://evil.com/health HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"GET //evil.com/health HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"GET ///// HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"GET /../../etc/passwd HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"GET /%00 HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"GET /%zz%e4%ff HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"GET /%E2%80%A8forged HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"GET /\xff\xfe HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"GET /a#b HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"GET /a?%gg=\x7f HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"GET /[ HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"GET /openai/v1/models/%2e%2e%2f HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"GET /openai/v1/models/" + b"a" * 8000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: localhost\r\nX\x00: y\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: localhost\r\nX: \x00\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: localhost\r\nX : y\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: localhost\r\n folded: y\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: localhost\r\n: y\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: localhost\r\nX: \xff\xfe\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: localhost\r\n" + b"A: b\r\n" * 1000 + b"\r\n",
    b"GET / HTTP/1.1\r\nHost:\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: local\thost\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nOrigin: https://evil.com\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\n\r\n",
    HEAD + b"Content-Length: x\r\n\r\n",
    HEAD + b"Content-Length: +2\r\n\r\n{}",
    HEAD + b"Content-Length: 0x2\r\n\r\n{}",
    HEAD + b"Content-Length: 2, 2\r\n\r\n{}",
    HEAD + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
    HEAD + b"Content-Length: 99999999999999999999999\r\n\r\n{}",
    HEAD + b"Content-Length: 33554433\r\n\r\n",
    HEAD + b"Transfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n0\r\n\r\n",
    HEAD + b"Transfer-Encoding: identity\r\n\r\n",
    HEAD + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    HEAD + b"Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
    HEAD + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    HEAD + b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
    HEAD + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n",
    HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n",
    HEAD + b"Transfer-Encoding: chunked\r\n\r\n-2\r\n{}\r\n0\r\n\r\n",
    HEAD + b"Transfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n{}\r\n0\r\n\r\n",
    HEAD + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}xx0\r\n\r\n",
    HEAD + b"Transfer-Encoding: chunked\r\n\r\n2;" + b"e" * 9000 + b"\r\n{}\r\n0\r\n\r\n",
    HEAD + b"Transfer-Encoding: chunked\r\n\r\n0\r\n" + b"T: x\r\n" * 500 + b"\r\n",
    HEAD + b"Expect: 200-ok\r\nContent-Length: 2\r\n\r\n{}",
    HEAD + b"Content-Encoding: gzip\r\nContent-Length: 2\r\n\r\n\x1f\x8b",
    HEAD + b"Content-Type: text/plain\r\nContent-Length: 2\r\n\r\n{}",
    post(b"{}") + post(b"{}"),
    b"\x16\x03\x01\x00\xf8\x01\x00\x00\xf4\x03\x03" + b"\x00" * 200,
    b"\x05\x01\x00",
    b"SSH-2.0-OpenSSH\r\n",
    b"EHLO localhost\r\n",
    b"\x00" * 1000,
    b"A" * 100_000,
]  # fmt: skip

# --------------------------------------------------------------------------------------------- the shape of JSON

_ASK = b'{"model":"m","messages":[{"role":"user","content":"x"}],'
_SCHEMA = _ASK + b'"tools":[{"type":"function","function":{"name":"f","parameters":'

OTHER_JSON = [
    b"", b" ", b"{", b"}", b"[]", b"null", b"true", b"1", b'"text"', b"{}", b"{]", b"[" * 100_000, b'{"a":' * 20_000,
    b'{"messages":' + b"[" * 5000, b"\xff\xfe", b"\xef\xbb\xbf{}", b"{'model': 1}", b"NaN", b'{"model": NaN}',
    b'{"model":"m"}', b'{"messages":[]}', b'{"model":"","messages":[]}', b'{"model":"m","messages":null}',
    b'{"model":"m","messages":[]}', b'{"model":"m","messages":[null]}', b'{"model":"m","messages":[[]]}',
    b'{"model":"m","messages":[{}]}',
    _SCHEMA + b'{"a":"\x94"}}}]}', _SCHEMA + b'{"a":' * 5000 + b"1" + b"}" * 5000 + b"}}]}",
    b'{"model":"m","messages":[{"role":"x","content":"y"}]}',
    b'{"model":"m","messages":[{"role":"user","content":1}]}',
    _ASK + b'"max_tokens":' + b"9" * 5000 + b"}",
    _ASK + b'"temperature":1e999}',
    _ASK + b'"n":-1}',
    _ASK + b'"n":100000}',
    b'{"model":"m","messages":[{"role":"user","content":"\xff"}]}', b'{"model":"m" "messages":[]}', b'{"a":1}garbage',
    _ASK + b'"tools":' + b'[{"type":' * 3000,
]  # fmt: skip

ODD: list[Any] = [
    None,
    True,
    0,
    -1,
    1.5,
    10**30,
    "",
    "x",
    "\u0000",
    [],
    [None],
    [[]],
    {},
    {"type": "x"},
    "\U0001f600" * 300,
]


def misfits() -> Iterator[bytes]:
    """The good request with each of its values replaced by something of another kind, or left out."""
    for path in _paths(GOOD):
        for odd in ODD:
            yield json.dumps(_changed(GOOD, path, odd)).encode()
        yield json.dumps(_changed(GOOD, path, _changed)).encode()


def _paths(value: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield (*at, key)
        yield from _paths(inner, (*at, key))


def _changed(value: Any, path: tuple[Any, ...], to: Any) -> Any:
    """A copy with the value at `path` replaced; `to` being this function leaves it out."""
    copy = json.loads(json.dumps(value))
    inner = copy
    for key in path[:-1]:
        inner = inner[key]
    if to is _changed:
        del inner[path[-1]]
    else:
        inner[path[-1]] = to
    return copy


def scrambled(count: int) -> Iterator[bytes]:
    """The good request, head and body, with some bytes of it replaced, dropped or doubled; the same ones each time."""
    dice = random.Random(20)
    whole = post(json.dumps(GOOD).encode())
    for _ in range(count):
        data = bytearray(whole)
        for _ in range(dice.randint(1, 4)):
            place = dice.randrange(len(data))
            match dice.randrange(3):
                case 0:
                    data[place] = dice.randrange(256)
                case 1:
                    del data[place : place + dice.randint(1, 20)]
                case _:
                    data[place:place] = data[place : place + dice.randint(1, 20)]
        yield bytes(data)


# ------------------------------------------------------------------------------------------------------ the tests


async def answers(peer: Connection) -> None:
    """An upstream that has an answer to everything."""
    while True:
        await peer.request()
        await peer.send(SSE_HEAD + chunk(WHOLE) + LAST_CHUNK)


async def replies_to(served: Served, corpus: list[bytes]) -> list[tuple[bytes, bytes]]:
    """Each of `corpus` with what the server says to it, twenty at a time; the server is well afterwards."""
    gate = asyncio.Semaphore(20)

    async def one(data: bytes) -> tuple[bytes, bytes]:
        async with gate:
            return data, await told(served.url, data)

    replies = await asyncio.gather(*map(one, corpus))
    assert (await served.client.get("/health")).status == 200
    return replies


def check(data: bytes, reply: bytes) -> int:
    """The status of a reply that is as it should be; 0 for none at all."""
    if not reply:
        return 0
    head, _, body = reply.rpartition(b"\r\n\r\n")
    status = int(head.rpartition(b"HTTP/")[2][4:7])
    assert status < 500, (data[:300], reply)
    if status >= 400 and b"HEAD" not in data[:4]:
        error = json.loads(body)["error"]
        assert error.keys() == {"message", "type", "param", "code"}, (data[:300], reply)
        assert b"Traceback" not in body
    return status


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever sends half a request is given up soon."""
    monkeypatch.setattr("claude_proxy.server.connection.KEEPALIVE", 0.3)
    monkeypatch.setattr("claude_proxy.server.bodies.BODY_DEADLINE", 0.3)


@pytest.mark.usefixtures("hasty")
async def test_what_is_no_good_http_is_refused_or_dropped(serve: Serve) -> None:
    async with serve(answers) as served:
        for data, reply in await replies_to(served, OTHER_HTTP):
            check(data, reply)
        assert served.sent() == []


async def test_what_is_no_good_json_is_a_400_that_says_so(serve: Serve) -> None:
    corpus = [post(body) for body in OTHER_JSON]
    async with serve(answers) as served:
        for data, reply in await replies_to(served, corpus):
            assert check(data, reply) == 400, (data, reply)
        assert served.sent() == []


async def test_a_value_of_the_wrong_kind_names_its_place(serve: Serve) -> None:
    corpus = [post(body) for body in misfits()]
    assert len(corpus) > 400
    statuses: set[int] = set()
    async with serve(answers) as served:
        for data, reply in await replies_to(served, corpus):
            status = check(data, reply)
            statuses.add(status)
            if status == 400:
                error = json.loads(reply.rpartition(b"\r\n\r\n")[2])["error"]
                assert error["param"] or "JSON" in error["message"], (data, reply)
    assert statuses == {200, 400}


@pytest.mark.usefixtures("hasty")
async def test_a_scrambled_request_is_answered_or_dropped(serve: Serve) -> None:
    async with serve(answers) as served:
        for data, reply in await replies_to(served, list(scrambled(400))):
            check(data, reply)


async def test_the_native_path_passes_bodies_on_and_breaks_on_none(serve: Serve) -> None:
    corpus = [post(body).replace(b"/openai/v1/chat/completions", b"/v1/messages", 1) for body in OTHER_JSON]
    async with serve(answers) as served:
        for data, reply in await replies_to(served, corpus):
            assert b" 200 OK" in reply.partition(b"\r\n")[0], data
    assert len(served.sent()) == len(corpus)
