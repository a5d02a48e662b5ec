"""A page of a configured origin may use the daemon, and no other page may because of it."""

import json
from typing import Any

import pytest

from tests.browser.attacks import ATTACKS, BODY, CHAT, PRELUDE
from tests.browser.chromium import Page
from tests.browser.conftest import LEGITIMATE, Answers, assert_only_programs_were_served, port
from tests.support.daemon import Daemon
from tests.support.daemon import daemon as running_daemon

pytestmark = pytest.mark.component("chromium")

# As the OpenAI SDK asks from a page.
STREAM = """
const reply = await fetch(chat, {
  method: "POST",
  headers: {
    "Content-Type": "application/json", Accept: "application/json", Authorization: "Bearer any",
    "X-Stainless-Lang": "js", "X-Stainless-Retry-Count": "0", "X-Stainless-Runtime": "browser:chrome",
  },
  body: JSON.stringify({...JSON.parse(body), stream: true}),
});
const reader = reply.body.pipeThrough(new TextDecoderStream()).getReader();
let text = "";
for (let part; !text.includes(until) && !(part = await reader.read()).done;) text += part.value;
await reader.cancel();
return {status: reply.status, id: reply.headers.get("x-request-id"), text};
"""
STALLING = {
    "model": "claude-haiku-4-5",
    "messages": [{"role": "user", "content": "/simulate text early\n/simulate stall"}],
}


async def at(page: Page, origin: str, daemon: Daemon, javascript: str, **names: object) -> Any:
    """What `javascript` returns in a page of `origin`."""
    await page.open(origin + "/")
    names = {"target": f"http://127.0.0.1:{port(daemon)}", "body": BODY} | names
    return await page.run(PRELUDE + javascript, **names)


@pytest.mark.parametrize("name", ["localhost", "127.0.0.1", "good.example"])
async def test_a_page_of_a_configured_origin_streams(name: str, page: Page, attacker: int, answers: Answers) -> None:
    origin = f"http://{name}:{attacker}"
    async with running_daemon(allowed_origins=(origin,)) as daemon:
        seen = await at(page, origin, daemon, STREAM, until="[DONE]")
        assert seen["status"] == 200
        assert seen["id"].startswith("req_")
        assert seen["text"].startswith("data: {")
        assert seen["text"].endswith("data: [DONE]\n\n")
        assert await answers.take(2) == (f"OPTIONS {CHAT} 204", LEGITIMATE)
        assert_only_programs_were_served(daemon)


async def test_a_configured_page_reads_each_event_as_it_comes(page: Page, attacker: int) -> None:
    origin = f"http://localhost:{attacker}"
    async with running_daemon(allowed_origins=(origin,)) as daemon:
        seen = await at(page, origin, daemon, STREAM, until='"content":"early', body=json.dumps(STALLING))
        assert "[DONE]" not in seen["text"]


async def test_a_configured_page_reads_why_it_was_refused(page: Page, attacker: int) -> None:
    origin = f"http://localhost:{attacker}"
    async with running_daemon(allowed_origins=(origin,)) as daemon:
        assert (await at(page, origin, daemon, "return post(body)")).startswith("cors 415 {")
        with_cookies = 'return read(fetch(target + "/status", {credentials: "include"}))'
        assert await at(page, origin, daemon, with_cookies) == "TypeError"
        assert await at(page, origin, daemon, "return submit('text/plain')") == "undefined"
        assert await at(page, origin, daemon, "return loaded(make('img', {src: models}))") == "error"
        assert_only_programs_were_served(daemon, asked=0)


@pytest.mark.parametrize("name", ["127.0.0.1", "evil.example", "good.example.evil.example", "evil-good.example"])
async def test_another_page_is_refused_as_before(name: str, page: Page, attacker: int, answers: Answers) -> None:
    allowed = (f"http://good.example:{attacker}", f"http://localhost:{attacker}", f"http://{name}:{attacker + 1}")
    async with running_daemon(allowed_origins=allowed) as daemon:
        for attack in ATTACKS:
            if "fetch" in attack.name or "Web" in attack.name:
                seen = await at(page, f"http://{name}:{attacker}", daemon, attack.javascript)
                assert (attack.name, seen) == (attack.name, attack.seen)
                assert (attack.name, await answers.take()) == (attack.name, attack.answers)
        assert_only_programs_were_served(daemon, asked=0)
