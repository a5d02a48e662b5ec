"""Some hundred mixed requests: the ledger, /usage, /metrics and what upstream has told agree to the token."""

import asyncio
import json
import random
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from claude_proxy.simulator import app as simulator
from claude_proxy.simulator import message_events
from claude_proxy.simulator.message_events import Fault, Frame
from tests.server.test_metrics import samples
from tests.store.test_usage import rows_in
from tests.support.daemon import Daemon, daemon

KINDS = {
    "input_tokens": "input_tokens",
    "cache_read_tokens": "cache_read_input_tokens",
    "cache_write_tokens": "cache_creation_input_tokens",
    "output_tokens": "output_tokens",
}
NATIVE = {"anthropic-version": "2023-06-01"}
MODELS = ("claude-sonnet-4-5", "claude-haiku-4-5", "claude-opus-5-5")


class Told:
    """The usage that upstream has told in each reply, as far as it was sent."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.replies: list[dict[str, Any]] = []
        monkeypatch.setattr(simulator, "events", self._events)
        monkeypatch.setattr(simulator, "message", self._message)

    def _events(self, *arguments: Any) -> Iterator[Frame | Fault]:
        told: dict[str, Any] = {}
        self.replies.append(told)
        for frame in message_events.events(*arguments):
            if isinstance(frame, Frame) and b'"type":"message_' in frame.data:
                event = json.loads(frame.data.partition(b"data: ")[2])
                told.update(event.get("message", event).get("usage", {}))
            yield frame

    def _message(self, *arguments: Any) -> dict[str, Any]:
        message = message_events.message(*arguments)
        self.replies.append(message["usage"])
        return message

    def sums(self) -> dict[str, int]:
        return {ours: sum(each[theirs] for each in self.replies) for ours, theirs in KINDS.items()}


class Client:
    """Sends requests of every kind; counts those that were sent, and those that get an error."""

    def __init__(self, proxy: Daemon, session: aiohttp.ClientSession) -> None:
        self.proxy = proxy
        self.session = session
        self.sent: Counter[str] = Counter()
        self.errors = 0

    async def chat(self, text: str, *, model: str, errors: bool = False, **fields: object) -> None:
        body = {"model": model, "max_tokens": 500, "messages": [{"role": "user", "content": text}], **fields}
        await self._whole("chat", f"{self.proxy.openai}/chat/completions", body, errors=errors)

    async def respond(self, text: str, *, model: str, errors: bool = False, **fields: object) -> None:
        body = {"model": model, "input": text, "store": False, **fields}
        await self._whole("responses", f"{self.proxy.openai}/responses", body, errors=errors)

    async def native(self, text: str, *, model: str, errors: bool = False, **fields: object) -> None:
        body = {"model": model, "max_tokens": 500, "messages": [{"role": "user", "content": text}], **fields}
        await self._whole("messages", f"{self.proxy.url}/v1/messages", body, errors=errors, headers=NATIVE)

    async def _whole(
        self, dialect: str, url: str, body: object, *, errors: bool, headers: dict[str, str] | None = None
    ) -> None:
        self.sent[dialect] += 1
        self.errors += errors
        async with self.session.post(url, json=body, headers=headers) as reply:
            text = await reply.text()
        failed = reply.status >= 400 or "event: error" in text or 'data: {"error"' in text or "response.failed" in text
        assert failed is errors, text

    async def leave(self, dialect: str, model: str) -> None:
        """Read the beginning of an answer that stops in the middle, and close the connection."""
        self.sent[dialect] += 1
        text = "/simulate words 5\n/simulate stall"
        body: dict[str, Any] = {"model": model, "max_tokens": 500, "stream": True}
        body |= {"messages": [{"role": "user", "content": text}]}
        url, headers, mark = f"{self.proxy.openai}/chat/completions", None, b'"content"'
        if dialect == "messages":
            url, headers, mark = f"{self.proxy.url}/v1/messages", NATIVE, b"content_block_stop"
        async with self.session.post(url, json=body, headers=headers) as reply:
            seen = b""
            while mark not in seen:
                seen += await reply.content.readany()
            reply.close()

    async def count(self, model: str) -> None:
        body = {"model": model, "messages": [{"role": "user", "content": "How many?"}]}
        async with self.session.post(f"{self.proxy.url}/v1/messages/count_tokens", json=body, headers=NATIVE) as reply:
            assert reply.status == 200


def jobs(client: Client, number: int, chance: random.Random) -> list[Any]:
    """The requests of one round, each different from those of every other round."""
    model = chance.choice(MODELS)
    words = f"/simulate words {chance.randrange(1, 60)}"
    text = f"{'word ' * chance.randrange(1, 3000)} {number}\n{words}"
    cut, refusal = f"{number}\n{words}\n/simulate cut", f"{number}\n/simulate status 400 message=no"
    overloaded = f"{number}\n{words}\n/simulate error overloaded_error"
    pause = f"{number}\n/simulate web_search weather\n/simulate pause\n/simulate next\n{words}"
    return [
        client.chat(text, model=model),
        client.chat(text, model=model, stream=True),
        client.chat(text, model=model, stream=True, n=3),
        client.chat(text, model=model, n=2),
        client.chat(cut, model=model, stream=True, errors=True),
        client.chat(overloaded, model=model, errors=True),
        client.chat(refusal, model=model, errors=True),
        client.chat(text, model=model, n="many", errors=True),
        client.chat(pause, model=model, stream=True, web_search_options={}),
        client.respond(text, model=model),
        client.respond(text, model=model, stream=True),
        client.respond(overloaded, model=model, stream=True, errors=True),
        client.native(text, model=model),
        client.native(text, model=model, stream=True),
        client.native(cut, model=model, stream=True, errors=True),
        client.native(refusal, model=model, errors=True),
        client.leave("chat", model),
        client.leave("messages", model),
        client.count(model),
    ]


async def test_all_counts_agree_to_the_token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    told, chance, file = Told(monkeypatch), random.Random(15), tmp_path / "data" / "a.sqlite3"
    async with (
        daemon(store_file=file, max_choices=8) as proxy,
        aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(60)) as session,
    ):
        client = Client(proxy, session)
        for number in range(16):
            await asyncio.gather(*jobs(client, number, chance))
        found = await _settled(proxy, session)
        usages = {}
        for by in ("day", "model", "client"):
            async with session.get(f"{proxy.url}/usage?by={by}&since=1h") as reply:
                usages[by] = await reply.json()
    total, rows = client.sent.total(), rows_in(file)
    sums = told.sums()
    assert total == 16 * 18
    assert len(rows) == total
    assert min(sums.values()) > 0
    assert {name: sum(getattr(row, name) or 0 for row in rows) for name in KINDS} == sums
    assert sum(row.upstream_requests for row in rows) == len(told.replies) + 2 * 16  # the refusals told nothing
    for usage in usages.values():
        assert {name: usage["total"][name] for name in KINDS} == sums
        assert (usage["total"]["requests"], usage["total"]["errors"]) == (total, client.errors)
        for name in (*KINDS, "requests", "errors"):
            assert sum(row[name] or 0 for row in usage["rows"]) == usage["total"][name]
    counted: Counter[str] = Counter()
    tokens: Counter[str] = Counter()
    for (name, *labels), value in found.items():
        if name == "claude_proxy_requests_total":
            counted[labels[0]] += int(value)
        elif name == "claude_proxy_tokens_total":
            tokens[f"{labels[0]}_tokens"] += int(value)
    assert counted == client.sent
    assert tokens == sums
    assert found["claude_proxy_request_duration_seconds_count",] == total
    assert sum(row.error == "client_left" for row in rows) == 2 * 16


async def _settled(proxy: Daemon, session: aiohttp.ClientSession) -> dict[tuple[str, ...], float]:
    """The metrics, once the daemon has noticed that clients have left."""
    async with asyncio.timeout(60):
        while True:
            async with session.get(f"{proxy.url}/metrics") as reply:
                found = samples(await reply.text())
            if not found["claude_proxy_open_requests",]:
                return found
