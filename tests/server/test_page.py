import asyncio
import json
import re
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from claude_proxy import __version__
from claude_proxy.diagnosis.check import Check
from claude_proxy.server import page
from claude_proxy.server.app import OWN_ROUTES
from claude_proxy.server.guard import PAGE_DATA, PAGE_FILES
from claude_proxy.server.live import MAX_VIEWERS
from tests.server.conftest import Serve, Served
from tests.support.raw import LAST_CHUNK, SSE_HEAD, Connection, chunk

BROWSER = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8", "Sec-Fetch-Site": "none"}
CHAT = {"model": "claude-sonnet-5", "messages": [{"role": "user", "content": "a secret prompt"}]}
REPLY = (
    b'data: {"type":"message_start","message":{"id":"msg_1","usage":{"input_tokens":7,"output_tokens":1}}}\n\n'
    b'data: {"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}\n\n'
    b'data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"a secret answer"}}\n\n'
    b'data: {"type":"content_block_stop","index":0}\n\n'
    b'data: {"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":2}}\n\n'
    b'data: {"type":"message_stop"}\n\n'
)


async def answering(peer: Connection) -> None:
    while True:
        await peer.request()
        await peer.send(SSE_HEAD + chunk(REPLY) + LAST_CHUNK)


async def next_event(reply: aiohttp.ClientResponse, name: str) -> Any:
    """The data of the next event of this name."""
    async with asyncio.timeout(10):
        while True:
            frame = await reply.content.readuntil(b"\n\n")
            event, _, data = frame.decode().partition("\n")
            if event == f"event: {name}":
                return json.loads(data.removeprefix("data: "))


async def test_a_browser_gets_the_page_and_a_program_the_version(serve: Serve) -> None:
    async with serve() as served:
        shown = await served.client.get("/", headers=BROWSER)
        assert (shown.status, shown.content_type) == (200, "text/html")
        assert "<title>claude-proxy</title>" in await shown.text()
        told = await served.client.get("/", headers={"Accept": "*/*"})
        assert await told.json() == {"name": "claude-proxy", "version": __version__}
        assert shown.headers["Vary"] == told.headers["Vary"] == "Accept"


async def test_the_page_may_load_nothing_but_its_own_files_and_may_not_be_framed(serve: Serve) -> None:
    async with serve() as served:
        for path in ("/", *(f"/page/{name}" for name in page.ASSETS), "/page/data"):
            headers = (await served.client.get(path, headers=BROWSER)).headers
            policy = headers["Content-Security-Policy"]
            assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self';")
            assert "frame-ancestors 'none'" in policy
            assert "unsafe" not in policy
            assert headers["X-Frame-Options"] == "DENY"
            assert headers["Cross-Origin-Opener-Policy"] == headers["Cross-Origin-Resource-Policy"] == "same-origin"
            assert headers["Cache-Control"] == "no-store"
            assert "Set-Cookie" not in headers


def test_the_files_name_no_other_host_and_hold_no_inline_script_or_style() -> None:
    folder = Path(page.__file__).parent / "assets"
    assert {file.name for file in folder.iterdir()} == {"index.html", *page.ASSETS}
    for file in folder.iterdir():
        text = file.read_text("utf-8")
        assert set(re.findall(r"https?://[\w.]+", text)) <= {"http://www.w3.org"}, file.name
        assert "innerHTML" not in text
    html = (folder / "index.html").read_text("utf-8")
    assert not re.search(r"<style|<script(?![^>]*src=)|\sstyle=|\son\w+=", html)


def test_every_route_of_the_page_is_public_or_data_or_needs_the_key() -> None:
    routes = {route.path for route in OWN_ROUTES if route.path.startswith("/page/")}
    assert routes == PAGE_FILES | PAGE_DATA | {"/page/code"}


async def test_a_request_appears_while_it_is_open_and_when_it_has_ended(serve: Serve) -> None:
    go = asyncio.Event()

    async def play(peer: Connection) -> None:
        await peer.request()
        await go.wait()
        await peer.send(SSE_HEAD + chunk(REPLY) + LAST_CHUNK)
        await peer.request()

    async with serve(play) as served, served.client.get("/page/events") as feed:
        asking = asyncio.create_task(served.client.post("/openai/v1/chat/completions", json={**CHAT, "seed": 1}))
        (running,) = await next_event(feed, "open")
        assert running["path"] == "/openai/v1/chat/completions"
        go.set()
        row = await next_event(feed, "done")
        assert (row["model"], row["status"], row["dialect"]) == ("claude-sonnet-5", 200, "chat")
        assert (row["input_tokens"], row["output_tokens"], row["warnings"]) == (7, 2, ["seed"])
        assert [note[:2] for note in row["notes"] if note[0] == "warning"] == [["warning", "seed"]]
        assert await next_event(feed, "open") == []
        await asking


async def test_no_prompt_and_no_answer_is_shown(serve: Serve) -> None:
    async with serve(answering) as served:
        await served.client.post("/openai/v1/chat/completions", json={**CHAT, "seed": 1, "stop": [" "]})
        async with served.client.get("/page/events") as feed:
            row = await next_event(feed, "done")
            assert row["status"] == 200
            assert "secret" not in json.dumps(row)
        assert "a secret" not in await (await served.client.get("/page/data")).text()


async def test_a_viewer_ends_with_the_server_at_once(serve: Serve) -> None:
    async with serve() as served, served.client.get("/page/events") as feed:
        await next_event(feed, "state")
        async with asyncio.timeout(5):
            await served.server.drain(60, asyncio.Event())
        assert not served.state.open


async def test_viewers_beyond_the_bound_are_refused_and_requests_are_not(serve: Serve) -> None:
    async with serve(answering) as served:
        feeds = [await served.client.get("/page/events") for _ in range(MAX_VIEWERS)]
        async with served.client.get("/page/events") as refused:
            assert refused.status == 429
        assert (await served.client.post("/openai/v1/chat/completions", json=CHAT)).status == 200
        for feed in feeds:
            feed.close()


async def test_a_viewer_that_does_not_read_is_given_up(
    serve: Serve, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(page, "WRITE_TIMEOUT", 0.05)
    monkeypatch.setattr(page.Changes, "frames", lambda _: b"x" * 1_000_000)
    ended = asyncio.Event()
    async with serve() as served:
        served.state.observers = (lambda exchange: ended.set(),)
        async with served.client.get("/page/events") as feed:
            assert feed.status == 200
            async with asyncio.timeout(20):
                await ended.wait()  # nothing is read from `feed`
        assert not served.state.open
    assert "internal error" not in caplog.text


async def test_head_of_the_feed_ends_at_once(serve: Serve) -> None:
    async with serve() as served:
        assert (await served.client.head("/page/events")).status == 200
        assert not served.state.open


async def test_state_and_snippets_are_shown(serve: Serve) -> None:
    async with serve() as served:
        told = await (await served.client.get("/page/data")).json()
    assert told["state"]["address"] == served.url
    assert told["state"]["backend"]["answers"] == "anthropic"
    assert told["state"]["last_warning"] is None
    assert [recipe["name"] for recipe in told["setup"]] == ["python", "node", "curl", "environment"]
    assert f"{served.url}/openai/v1" in told["setup"][0]["text"]


async def test_doctor_runs_once_for_all_who_ask_meanwhile(serve: Serve) -> None:
    runs = []
    async with serve() as served:

        def checks() -> list[Check]:
            runs.append(1)
            asyncio.run_coroutine_threadsafe(asyncio.sleep(0.2), loop).result()
            return [Check("files", "ok", "fine")]

        loop = asyncio.get_running_loop()
        doctor(served).checks = checks
        replies = await asyncio.gather(*(served.client.get("/page/doctor") for _ in range(3)))
        assert [await reply.json() for reply in replies] == [
            [{"name": "files", "state": "ok", "detail": "fine", "hint": None}]
        ] * 3
    assert runs == [1]


def doctor(served: Served) -> page.Doctor:
    return served.server.app[page.DOCTOR]


async def test_a_server_without_checks_says_what_to_run(serve: Serve) -> None:
    async with serve() as served:
        reply = await served.client.get("/page/doctor")
        assert (reply.status, "claude-proxy doctor" in await reply.text()) == (404, True)


async def test_checks_that_hang_are_not_waited_for(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page, "DOCTOR_TIMEOUT", 0.05)
    async with serve() as served:
        never = asyncio.run_coroutine_threadsafe(asyncio.sleep(3600), asyncio.get_running_loop())
        doctor(served).checks = never.result  # type: ignore[assignment] # it does not return before it is cancelled
        assert (await served.client.get("/page/doctor")).status == 504
        never.cancel()


# ------------------------------------------------------------------------------------------------ with a key


async def test_with_a_key_the_files_come_without_it_and_the_data_do_not(serve: Serve, tmp_path: Path) -> None:
    async with serve(api_key_file=str(tmp_path / "key")) as served:
        for path in ("/", "/page/page.js", "/page/plots.js", "/page/page.css", "/page/icon.svg"):
            assert (await served.client.get(path, headers=BROWSER)).status == 200
        for path in (*PAGE_DATA, "/page/events?x", "/status"):
            assert (await served.client.get(path, headers=BROWSER)).status == 401
        assert (await served.client.post("/page/code", json={})).status == 401


async def test_a_code_opens_the_page_and_nothing_else(serve: Serve, tmp_path: Path) -> None:
    file = tmp_path / "key"
    async with serve(api_key_file=str(file)) as served:
        key = {"Authorization": f"Bearer {file.read_text().strip()}"}
        code = (await (await served.client.post("/page/code", json={}, headers=key)).json())["code"]
        opened = await served.client.get("/page/session", headers={"Authorization": f"Bearer {code}"})
        session = {"Authorization": f"Bearer {(await opened.json())['token']}"}
        assert (await served.client.get("/page/data", headers=session)).status == 200
        assert (await served.client.get("/page/figures?range=day", headers=session)).status == 200
        again = await served.client.get("/page/session", headers={"Authorization": f"Bearer {code}"})
        assert again.status == 401
        for method, path in (
            ("GET", "/status"),
            ("POST", "/page/code"),
            ("POST", "/v1/messages"),
            ("GET", "/v1/models"),
        ):
            async with served.client.request(method, path, json={}, headers=session) as reply:
                assert reply.status == 401


async def test_without_a_key_no_code_is_needed(serve: Serve) -> None:
    async with serve() as served:
        assert await (await served.client.post("/page/code", json={})).json() == {"code": None}
        assert (await served.client.get("/page/data")).status == 200
