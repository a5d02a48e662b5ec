"""A name of the attacker's that has become this machine's: to the browser, page and daemon are of one origin."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from tests.browser.attacks import BODY, CHAT
from tests.browser.chromium import Page
from tests.browser.conftest import (
    LEGITIMATE,
    Answers,
    ask_as_a_program_does,
    assert_only_programs_were_served,
    attackers_app,
    port,
)
from tests.support.daemon import Daemon, listening
from tests.support.daemon import daemon as running_daemon

pytestmark = pytest.mark.component("chromium")

ASK = """
const [path, method, data] = asked;
const reply = await fetch(path, {method, body: data ?? undefined, headers: {"Content-Type": "application/json"}});
return [reply.type, reply.status, await reply.text()];
"""
OPEN_A_SOCKET = """
return new Promise(resolve => {
  const socket = new WebSocket("ws://" + location.host + "/");
  socket.onopen = () => resolve("open");
  socket.onclose = event => resolve(event.code);
})
"""


@asynccontextmanager
async def rebound(page: Page) -> AsyncIterator[Daemon]:
    """A daemon at the very address that `page` came from."""
    async with listening(attackers_app()) as url:
        attacker = int(url.rpartition(":")[2])
        await page.open(f"http://evil.example:{attacker}/")
    async with running_daemon(port=attacker) as daemon:
        yield daemon


async def test_a_rebound_name_opens_nothing(page: Page, answers: Answers) -> None:
    async with rebound(page) as daemon:
        for path in ("/status", "/health", "/", "/openai/v1/models", "/v1/models"):
            kind, status, text = await page.run(ASK, asked=[path, "GET", None])
            assert (kind, status) == ("basic", 403)
            assert "this Host header does not name this machine" in text
        for path in (CHAT, "/v1/messages"):
            assert (await page.run(ASK, asked=[path, "POST", BODY]))[1] == 403
        assert await page.run(OPEN_A_SOCKET) == 1006
        await ask_as_a_program_does(daemon)
        assert all(answer.endswith(" 403 forbidden_host") for answer in answers.given[:-1])
        assert (len(answers.given), answers.given[-1]) == (9, LEGITIMATE)
        assert_only_programs_were_served(daemon)


async def test_without_a_guard_a_rebound_name_opens_everything(page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("claude_proxy.server.guard.refusal", lambda *_: None)
    async with rebound(page) as daemon:
        _, _, text = await page.run(ASK, asked=["/status", "GET", None])
        assert '"credential":' in text
        _, status, text = await page.run(ASK, asked=[CHAT, "POST", BODY])
        assert (status, '"chat.completion"' in text) == (200, True)
        assert_only_programs_were_served(daemon)


# All are this machine: by the attacker's DNS, by the browser's own rules, or by another way to write its address.
@pytest.mark.parametrize(
    "name",
    ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "evil.localhost", "localhost.",
     "[::ffff:127.0.0.1]", "0.0.0.0"],
)  # fmt: skip
@pytest.mark.parametrize("path", ["/status", "/openai/v1/models"])
async def test_a_foreign_name_in_the_address_bar_shows_nothing(
    name: str, path: str, page: Page, answers: Answers
) -> None:
    async with running_daemon() as daemon:
        await page.open(f"http://{name}:{port(daemon)}{path}")
        assert "does not name this machine" in await page.run("return document.body.innerText")
        assert await answers.take() == (f"GET {path} 403 forbidden_host",)
        assert_only_programs_were_served(daemon, asked=0)


@pytest.mark.parametrize("name", ["localhost", "127.0.0.1", "127.1"])
async def test_the_user_may_look_at_the_status(name: str, page: Page) -> None:
    async with running_daemon() as daemon:
        await page.open(f"http://{name}:{port(daemon)}/status")
        assert '"credential":' in await page.run("return document.body.innerText")
