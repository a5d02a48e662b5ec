"""The page at `/` in a real browser. A violation of its policy is a complaint of the browser's, and fails a test."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.browser.attacks import CHAT, PRELUDE
from tests.browser.chromium import Page
from tests.browser.conftest import Answers, port
from tests.support.components import AXE
from tests.support.daemon import Daemon
from tests.support.daemon import daemon as running_daemon

pytestmark = pytest.mark.component("chromium")

MODEL = "claude-haiku-4-5"

# Waits in the page until `condition` is true, for as long as the browser's call may take.
UNTIL = """
const until = async condition => {
  while (!condition()) await new Promise(resolve => setTimeout(resolve, 10));
};
const all = selector => [...document.querySelectorAll(selector)];
"""


@pytest.fixture
async def daemon(tmp_path: Path) -> AsyncIterator[Daemon]:
    async with running_daemon(store_file=tmp_path / "store.sqlite3") as daemon:
        yield daemon


async def ask(daemon: Daemon, text: str = "one two three", *, client: str = "OpenAI/Python 3.54.0", **more: Any) -> int:
    """Send a chat completion as a program does; returns the reply's status."""
    body = {"model": MODEL, "messages": [{"role": "user", "content": text}], **more}
    headers = {"User-Agent": client}
    async with aiohttp.ClientSession() as session, session.post(daemon.url + CHAT, json=body, headers=headers) as reply:
        await reply.read()
        return reply.status


async def opened(page: Page, daemon: Daemon, path: str = "/") -> None:
    await page.open(daemon.url + path)
    await page.run(UNTIL + "await until(() => !document.getElementById('content').hidden)")


async def test_the_page_shows_the_state_and_the_browser_has_no_complaint(page: Page, daemon: Daemon) -> None:
    await opened(page, daemon)
    text = await page.run(UNTIL + "await until(() => all('#plots svg').length); return document.body.innerText")
    assert f"{daemon.url}/openai/v1" in text
    assert "ANTHROPIC_API_KEY (API key)" in text
    assert "asks upstream directly" in text
    assert "[object" not in text
    assert "undefined" not in text
    assert await page.run("return document.getElementById('pill').textContent") == "running"
    assert await page.problems() == []


async def test_a_request_appears_within_a_second_while_it_runs_and_when_it_has_ended(
    page: Page, daemon: Daemon
) -> None:
    await opened(page, daemon)
    asking = asyncio.create_task(ask(daemon, "/simulate text early\n/simulate stall", client="aider/1", stream=True))
    waited = await page.run(
        UNTIL + "const began = performance.now(); await until(() => all('#open-rows tr').length);"
        "return [performance.now() - began, all('#open-rows td').map(cell => cell.textContent)]"
    )
    assert waited[0] < 1500  # half a second between looks, and a busy machine
    assert "aider" in waited[1]
    assert "open" in waited[1]
    asking.cancel()
    await asyncio.gather(asking, return_exceptions=True)
    row = await page.run(
        UNTIL + "await until(() => all('#done-rows tr').length && !all('#open-rows tr').length);"
        "return all('#done-rows td').map(cell => cell.textContent)"
    )
    assert "client left" in row
    assert await page.problems() == []


async def test_a_row_opens_by_keyboard_and_shows_its_notes(page: Page, daemon: Daemon) -> None:
    await ask(daemon, "a secret prompt", seed=1)
    await opened(page, daemon)
    await page.run(UNTIL + "await until(() => all('.toggle').length); all('.scroll')[0].focus()")
    await page.press("Tab", 9)
    assert await page.run("return document.activeElement.className") == "toggle"
    await page.press("Enter", 13, "\r")
    shown = await page.run("return document.querySelector('.details').innerText")
    assert "seed: the Messages API has no seed" in shown
    assert await page.run("return document.activeElement.getAttribute('aria-expanded')") == "true"
    await page.press("Enter", 13, "\r")
    assert await page.run("return document.querySelector('.details')") is None
    assert "secret" not in await page.run("return document.body.innerText")


async def test_everything_that_acts_is_reached_by_tab(page: Page, daemon: Daemon) -> None:
    await ask(daemon)
    await opened(page, daemon)
    await page.run(UNTIL + "await until(() => all('.toggle').length && all('#usage-tables table').length)")
    reached = set()
    for _ in range(14):
        await page.press("Tab", 9)
        reached.add(await page.run("return document.activeElement.id || document.activeElement.className"))
    assert {"toggle", "scroll", "client", "copy", "run-doctor"} <= reached


async def test_the_figures_are_the_ledger_s(page: Page, daemon: Daemon) -> None:
    for client in ("curl/8", "curl/8", "aider/1"):
        await ask(daemon, client=client)
    await ask(daemon, client="curl/8", model="no-such-model")
    async with aiohttp.ClientSession() as session, session.get(f"{daemon.url}/usage?since=1h&by=client") as reply:
        ledger = await reply.json()
    await opened(page, daemon)
    tables = await page.run(
        UNTIL + "await until(() => all('#usage-tables table').length === 2);"
        "return all('#usage-tables table').map(table => [...table.rows].slice(1).map("
        "row => [...row.cells].map(cell => cell.textContent)))"
    )
    names = ("requests", "errors", "input_tokens", "cache_read_tokens", "cache_write_tokens", "output_tokens")
    expected = [
        [row["key"], *("\u2013" if row[name] is None else f"{row[name]:,}" for name in names)] for row in ledger["rows"]
    ]
    assert [row[:-1] for row in tables[1][:-1]] == expected
    assert tables[0][-1][1:3] == [str(ledger["total"]["requests"]), str(ledger["total"]["errors"])]


@pytest.mark.component("axe")
@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [1200, 390])
async def test_axe_finds_nothing(page: Page, daemon: Daemon, dark: bool, width: int) -> None:
    await ask(daemon, seed=1)
    await ask(daemon, model="no-such-model")
    await page.look(dark=dark, width=width)
    await page.allow_any_script()
    await opened(page, daemon)
    await page.run(
        UNTIL + "await until(() => all('.toggle').length && all('#plots svg').length); all('.toggle')[1].click()"
    )
    found = await page.run(
        AXE.read_text("utf-8") + "; const done = await axe.run(document);"
        "return done.violations.map(each => [each.id, each.nodes.map(node => node.html)])"
    )
    assert found == []


async def test_nothing_is_wider_than_a_phone(page: Page, daemon: Daemon) -> None:
    await ask(daemon, seed=1)
    await page.look(width=360)
    await opened(page, daemon)
    wide = await page.run(
        UNTIL + "await until(() => all('.toggle').length && all('#usage-tables table').length);"
        "all('.toggle')[0].click(); return document.documentElement.scrollWidth"
    )
    assert wide <= 360


async def test_a_snippet_is_chosen_and_copied(page: Page, daemon: Daemon) -> None:
    await opened(page, daemon)
    shown = await page.run(
        "const client = document.getElementById('client'); client.value = 'curl';"
        "client.dispatchEvent(new Event('change')); document.getElementById('copy').click();"
        + UNTIL + "await until(() => document.getElementById('copied').textContent);"
        "return document.getElementById('snippet').textContent"
    )  # fmt: skip
    assert shown.startswith(f"curl {daemon.url}/openai/v1/chat/completions")


async def test_the_page_comes_back_when_the_server_does(page: Page) -> None:
    async with running_daemon() as first:
        await opened(page, first)
        address = port(first)
    await page.run(UNTIL + "await until(() => document.getElementById('pill').textContent === 'not reachable')")
    async with running_daemon(port=address):
        await page.run(UNTIL + "await until(() => document.getElementById('pill').textContent === 'running')")


# ----------------------------------------------------------------------------------------------- who may open it


async def test_where_a_key_is_required_a_code_opens_the_page(page: Page, tmp_path: Path) -> None:
    file = tmp_path / "key"
    async with running_daemon(api_key_file=str(file)) as daemon:
        await page.open(daemon.url + "/")
        await page.run(UNTIL + "await until(() => !document.getElementById('login').hidden)")
        assert await page.run("return document.getElementById('state').textContent") == ""
        headers = {"Authorization": f"Bearer {file.read_text().strip()}"}
        async with aiohttp.ClientSession(headers=headers) as session:
            async with session.post(f"{daemon.url}/page/code", json={}) as reply:
                code = (await reply.json())["code"]
            await page.run(
                UNTIL + "document.getElementById('code').value = 'AAAA-AAAA-AAAA';"
                "document.getElementById('login-form').requestSubmit();"
                "await until(() => document.getElementById('login-problem').textContent)"
            )
            await page.run(
                "document.getElementById('code').value = code; document.getElementById('login-form').requestSubmit();"
                + UNTIL + "await until(() => !document.getElementById('content').hidden)",
                code=code,
            )  # fmt: skip
            async with session.post(f"{daemon.url}/page/code", json={}) as reply:
                code = (await reply.json())["code"]
        await page.run("sessionStorage.clear()")
        await page.open("about:blank")
        await opened(page, daemon, f"/#code={code}")
        assert await page.run("return location.href") == daemon.url + "/"


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost", "evil.example"])
async def test_another_page_neither_reads_nor_frames_it(
    name: str, page: Page, daemon: Daemon, attacker: int, answers: Answers
) -> None:
    await page.open(f"http://{name}:{attacker}/")
    for path in ("/", "/page/data", "/page/events", "/page/figures", "/page/doctor", "/page/session"):
        seen = await page.run(PRELUDE + "return read(fetch(target + path))", target=daemon.url, path=path, body="")
        assert seen == "TypeError"
        seen = await page.run(
            PRELUDE + "return frame(make('iframe', {src: target + path}))", target=daemon.url, path=path, body=""
        )
        assert seen == "undefined"
    given = await answers.take(12)
    assert {answer.partition(" 403 ")[2] for answer in given} == {"forbidden_origin", "forbidden_site"}


async def test_the_server_s_own_page_cannot_frame_it_either(page: Page, daemon: Daemon) -> None:
    await page.open(f"{daemon.url}/health")
    seen = await page.run(PRELUDE + "return frame(make('iframe', {src: '/'}))", target=daemon.url, body="")
    assert seen == "undefined"
    assert any("frame" in problem for problem in await page.problems())
