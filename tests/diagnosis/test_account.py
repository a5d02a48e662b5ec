import asyncio
import email.utils
import os
import time
from collections.abc import Callable

import pytest
from aiohttp import web

from claude_proxy.config import Config, load
from claude_proxy.diagnosis import account
from claude_proxy.diagnosis.check import Check, run
from tests.support.daemon import listening


@pytest.mark.parametrize(
    ("ahead", "state", "words"),
    [(0, "ok", "the clocks agree"), (-600, "failed", "s ahead"), (600, "failed", "s behind")],
)
def test_a_clock_that_differs_from_upstream_s_is_reported(ahead: float, state: str, words: str):
    check = account.compare_clocks("https://x", email.utils.formatdate(time.time() + ahead, usegmt=True))
    assert check.state == state
    assert words in check.detail


@pytest.mark.parametrize("date", [None, "", "soon", "Mon, 01 Jan 0001 00:00:00 GMT"])
def test_an_upstream_without_a_usable_date_answers_all_the_same(date: str | None):
    assert account.compare_clocks("https://x", date).detail.startswith("https://x answers")


async def check_of(config: Config) -> Check:
    return await asyncio.to_thread(run, "upstream", lambda: account.check_upstream(config, os.environ))


def app_of(handler: Callable[[web.Request], web.StreamResponse]) -> web.Application:
    async def answer(request: web.Request) -> web.StreamResponse:
        return handler(request)

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    return app


@pytest.mark.parametrize("status", [200, 401, 404, 500])
async def test_an_upstream_that_answers_is_reached_without_a_credential(status: int):
    seen: list[web.Request] = []

    def answer(request: web.Request) -> web.StreamResponse:
        seen.append(request)
        return web.Response(status=status, text="x" * 100_000)

    async with listening(app_of(answer)) as url:
        check = await check_of(load({"base_url": url}, {}))
    assert check.state == "ok", check
    assert not {"authorization", "x-api-key"} & {name.lower() for name in seen[0].headers}


async def test_a_redirect_is_not_followed():
    seen: list[str] = []

    def answer(request: web.Request) -> web.StreamResponse:
        seen.append(request.path)
        return web.Response(status=302, headers={"Location": "/elsewhere"})

    async with listening(app_of(answer)) as url:
        check = await check_of(load({"base_url": url}, {}))
    assert (check.state, seen) == ("failed", ["/"])
    assert "redirect (302)" in check.detail


async def test_a_loopback_upstream_is_not_asked_through_a_proxy(monkeypatch: pytest.MonkeyPatch):
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    async with listening(app_of(lambda _: web.Response())) as url:
        assert (await check_of(load({"base_url": url}, {}))).state == "ok"


@pytest.mark.parametrize("greeting", [b"SSH-2.0-OpenSSH_9.2\r\n", b"", b"\xff" * 100, b"HTTP/1.1 abc\r\n\r\n"])
async def test_an_upstream_that_speaks_no_http_is_a_failed_check(greeting: bytes):
    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(greeting)
        await reader.read(100)
        writer.close()

    server = await asyncio.start_server(greet, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        check = await check_of(load({"base_url": f"http://127.0.0.1:{port}"}, {}))
    assert check.state == "failed"
    assert check.detail
