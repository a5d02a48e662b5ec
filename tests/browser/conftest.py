"""A browser, the attacker's own server, and what the daemon answered."""

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator

import aiohttp
import pytest
from aiohttp import web

from tests.browser.attacks import BODY, CHAT
from tests.browser.chromium import PATIENCE, Page, chromium, new_page
from tests.support.daemon import Daemon, listening

LEGITIMATE = f"POST {CHAT} 200"


class Answers(logging.Handler):
    """What the daemon answered, request by request, such as `POST /openai/v1/embeddings 403 forbidden_host`."""

    def __init__(self) -> None:
        super().__init__()
        self.given: list[str] = []
        self._one_more = asyncio.Event()

    def emit(self, record: logging.LogRecord) -> None:
        fields = record.__dict__.get("fields")
        if fields is None or not isinstance(record.args, tuple):  # no line about one request
            return
        method, path, _ = record.args
        if path != "/favicon.ico":  # which is the browser's own wish for each new window, whatever it shows
            self.given.append(f"{method} {path} {fields.get('error', str(fields['status'])).partition(':')[0]}")
        self._one_more.set()

    async def take(self, count: int = 1) -> tuple[str, ...]:
        """The next `count` answers, and what else there is by then."""
        async with asyncio.timeout(PATIENCE):
            while len(self.given) < count:
                self._one_more.clear()
                await self._one_more.wait()
        taken = tuple(self.given)
        self.given.clear()
        return taken


@pytest.fixture
def answers() -> Iterator[Answers]:
    log = logging.getLogger("claude_proxy.requests")
    level, answers = log.level, Answers()
    log.addHandler(answers)
    log.setLevel(logging.DEBUG)
    yield answers
    log.removeHandler(answers)
    log.setLevel(level)


@pytest.fixture(scope="session")
def devtools() -> Iterator[str]:
    with chromium() as devtools:
        yield devtools


@pytest.fixture
async def page(devtools: str) -> AsyncIterator[Page]:
    async with new_page(devtools) as page:
        yield page


def attackers_app() -> web.Application:
    """An empty page, a redirect that keeps method and body, and a page whose broken policy is reported."""

    async def empty(_: web.Request) -> web.Response:
        return web.Response(text="<!doctype html><title>.</title><body>", content_type="text/html")

    async def redirect(request: web.Request) -> web.Response:
        return web.Response(status=307, headers={"Location": request.query["to"]})

    async def reporting(request: web.Request) -> web.Response:
        policy = f"img-src 'none'; report-uri {request.query['to']}"
        return web.Response(
            text="<!doctype html><img src=/x>", content_type="text/html", headers={"Content-Security-Policy": policy}
        )

    app = web.Application()
    app.add_routes([web.get("/", empty), web.get("/redirect", redirect), web.post("/redirect", redirect)])
    app.add_routes([web.get("/reporting", reporting)])
    return app


@pytest.fixture
async def attacker() -> AsyncIterator[int]:
    """The port of the attacker's server, on all names of this machine."""
    async with listening(attackers_app()) as url:
        yield int(url.rpartition(":")[2])


def port(daemon: Daemon) -> int:
    return int(daemon.url.rpartition(":")[2])


async def ask_as_a_program_does(daemon: Daemon) -> None:
    """One chat completion, as any client asks for it, which must come."""
    headers = {"Content-Type": "application/json"}
    async with aiohttp.ClientSession() as client, client.post(daemon.url + CHAT, data=BODY, headers=headers) as reply:
        assert (await reply.json())["object"] == "chat.completion"


def assert_only_programs_were_served(daemon: Daemon, asked: int = 1) -> None:
    """Upstream has heard of `asked` requests, and of the list of models that a daemon asks for when it starts."""
    paths = [f"{sent.method} {sent.path.split('?')[0]}" for sent in daemon.sent]
    assert paths.count("POST /v1/messages") == asked
    assert paths.count("GET /v1/models") <= 1
    assert len(paths) == asked + paths.count("GET /v1/models")
