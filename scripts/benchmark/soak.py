"""`scripts/soak`: many streams, idle connections, failed requests, then mixed work; shows what the daemon holds.

Upstream is the simulator in a process of its own. Every answer is verified, and a wrong one ends the run. After the
failed requests the memory must come back; at the end the daemon must hold no more open requests and descriptors than
at the start.
"""

import argparse
import asyncio
import contextlib
import json
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import psutil

from scripts.benchmark.failures import Failures, Kept
from scripts.benchmark.processes import Target, daemon, prepare, simulator

MODEL = "claude-haiku-4-5"
TOOL = {"type": "function", "function": {"name": "look", "parameters": {"type": "object", "properties": {}}}}
WORKERS = 16
PACE = 0.02  # seconds between two tokens
IDLE_UPSTREAM = 200  # seconds
SLACK = 4  # descriptors
PAUSE = 0.2  # seconds between two requests of a worker: steady load, not maximum load


class Wrong(Exception):
    """A wrong reply."""


@dataclass
class Soak:
    session: aiohttp.ClientSession
    target: Target
    done: Counter[str] = field(default_factory=Counter)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.target.port}"

    @contextlib.asynccontextmanager
    async def ask(self, script: str, **more: object) -> AsyncIterator[aiohttp.ClientResponse]:
        body = {"model": MODEL, "messages": [{"role": "user", "content": script}], **more}
        async with self.session.post(f"{self.url}/openai/v1/chat/completions", json=body) as reply:
            yield reply

    async def streamed(self, words: int = 60) -> None:
        async with self.ask(f"/simulate words {words}", stream=True) as reply:
            text = await reply.text()
        frames = [line[6:] for line in text.splitlines() if line.startswith("data: ")]
        if frames[-1] != "[DONE]":
            raise Wrong(f"a stream ended with {frames[-1][:300]}")
        deltas = (json.loads(frame)["choices"][0]["delta"].get("content", "") for frame in frames[:-1])
        if len("".join(deltas).split()) < words:
            raise Wrong("a stream has lost words")

    async def folded(self) -> None:
        async with self.ask("/simulate words 30") as reply:
            answer = await reply.json()
        if answer["choices"][0]["finish_reason"] != "stop":
            raise Wrong(str(answer)[:300])

    async def tools(self) -> None:
        async with self.ask('/simulate tool look {"a": 1}\n/simulate tool look {}', tools=[TOOL]) as reply:
            answer = await reply.json()
        if len(answer["choices"][0]["message"]["tool_calls"]) != 2:
            raise Wrong(str(answer)[:300])

    async def broken(self) -> None:
        async with self.ask("/simulate words 9\n/simulate cut", stream=True) as reply:
            text = await reply.text()
        if '"error"' not in text or "[DONE]" in text:
            raise Wrong("a cut stream did not end in an error")

    async def refused(self) -> None:
        async with self.ask("hello", model="claude-no-such-model") as reply:
            if reply.status != 404:
                raise Wrong(f"an unknown model is a {reply.status}")

    async def abandoned(self) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(0.3), self.ask("/simulate words 5\n/simulate stall", stream=True) as reply:
                await reply.text()

    async def held(self) -> dict[str, float]:
        """The resources that the daemon holds now."""
        process = psutil.Process(self.target.pid)
        async with self.session.get(f"{self.url}/status") as reply:
            status = await reply.json()
        return {
            "RSS, MB": round(self.target.rss(), 1),
            "descriptors": process.num_fds(),
            "threads": process.num_threads(),
            "open requests": status["open_requests"],
            "served": status["requests"],
        }


async def many_streams(soak: Soak, count: int) -> None:
    began = time.monotonic()
    streams = [asyncio.create_task(soak.streamed(200)) for _ in range(count)]
    await asyncio.sleep(2)
    print(f"{count} streams under way: {await soak.held()}")
    await asyncio.gather(*streams)
    print(f"{count} streams whole after {time.monotonic() - began:.1f} s: {await soak.held()}")


async def many_idle(soak: Soak, count: int) -> None:
    pairs = [await asyncio.open_connection("127.0.0.1", soak.target.port) for _ in range(count)]
    print(f"{count} idle connections: {await soak.held()}")
    began = time.monotonic()
    beside = min(count, 20)
    for _ in range(beside):
        await soak.folded()
    print(f"{beside} requests beside them took {time.monotonic() - began:.2f} s")
    for _, writer in pairs:
        writer.close()
    await asyncio.gather(*(writer.wait_closed() for _, writer in pairs), return_exceptions=True)


async def mixed(soak: Soak, seconds: float) -> None:
    choice = random.Random(1)  # noqa: S311 - which request comes next
    kinds: list[Callable[[], Awaitable[None]]] = [
        *[soak.streamed] * 4,
        *[soak.folded] * 3,
        *[soak.tools] * 2,
        soak.broken,
        soak.refused,
        soak.abandoned,
    ]
    end = time.monotonic() + seconds

    async def worker() -> None:
        while time.monotonic() < end:
            kind = choice.choice(kinds)
            await kind()
            soak.done[kind.__name__] += 1
            await asyncio.sleep(PAUSE)

    async def watch() -> None:
        while time.monotonic() < end:
            print(f"{max(0, end - time.monotonic()):5.0f} s left: {await soak.held()}", flush=True)
            await asyncio.sleep(min(60, max(1.0, end - time.monotonic())))

    async with asyncio.TaskGroup() as group:
        for _ in range(WORKERS):
            group.create_task(worker())
        group.create_task(watch())


async def run(options: argparse.Namespace, target: Target) -> None:
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(total=300)) as session:
        soak = Soak(session, target)
        await soak.folded()
        before = await soak.held()
        print(f"idle: {before}")
        await many_streams(soak, options.streams)
        await many_idle(soak, options.idle)
        await Failures(session, target).run(options.failures)
        await mixed(soak, options.minutes * 60)
        print(f"requests of each kind: {dict(soak.done)}")
    async with aiohttp.ClientSession() as session:
        after = await Soak(session, target).held()
        for _ in range(IDLE_UPSTREAM):  # pooled connections to upstream are closed when they have been idle for long
            if after["descriptors"] <= before["descriptors"] + options.slack:
                break
            await asyncio.sleep(1)
            after = await Soak(session, target).held()
    print(f"after: {after}")
    allowed = before["descriptors"] + options.slack
    if after["open requests"] != before["open requests"] or after["descriptors"] > allowed:
        raise Wrong("something is still held")


def main() -> None:
    parser = argparse.ArgumentParser(prog="scripts/soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=30, help="how long the mixed work goes on")
    parser.add_argument("--streams", type=int, default=1000, help="how many streams at once, first")
    parser.add_argument("--idle", type=int, default=2000, help="how many idle connections, then")
    parser.add_argument("--failures", type=int, default=400, help="how many failed requests of 1 MB, then")
    parser.add_argument("--slack", type=int, default=SLACK, help="how many more descriptors may be open at the end")
    options = parser.parse_args()
    prepare()
    with (
        tempfile.TemporaryDirectory() as home,
        simulator(PACE) as upstream,
        daemon(upstream.port, Path(home)) as target,
    ):
        try:
            asyncio.run(run(options, target))
        except* (Wrong, Kept) as wrong:
            sys.exit(f"error: {wrong.exceptions[0]}")


if __name__ == "__main__":
    main()
