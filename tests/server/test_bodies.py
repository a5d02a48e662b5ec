import pytest

from tests.server.conftest import Serve
from tests.support.raw import told


async def test_a_body_that_grows_beyond_the_bound_is_refused_while_it_comes(serve: Serve) -> None:
    async def endless():
        for _ in range(100):
            yield b" " * 100

    async with serve(max_body=1000) as served:
        async with served.client.post("/v1/messages", data=endless()) as reply:
            assert reply.status == 413
            assert (await reply.json())["error"]["type"] == "request_too_large"
        async with served.client.post("/v1/messages", data=b" " * 1000) as reply:
            assert reply.status == 200


async def test_a_body_that_does_not_arrive_in_time_is_refused(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("claude_proxy.server.bodies.BODY_DEADLINE", 0.05)
    head = b"POST /v1/messages HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    async with serve() as served:
        reply = await told(served.url, head + b"Content-Length: 2\r\n\r\n{")
    assert reply.startswith(b"HTTP/1.1 400 ")
    assert b"did not arrive in time" in reply


async def test_a_body_with_broken_chunks_is_refused(serve: Serve) -> None:
    head = b"POST /v1/messages HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    async with serve() as served:
        reply = await told(served.url, head + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\nzz\r\n")
    assert reply == b"" or reply.startswith(b"HTTP/1.")
    assert served.sent() == []
