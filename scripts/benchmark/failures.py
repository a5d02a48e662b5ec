"""The failure phase of `scripts/soak`: many failed requests with large bodies, after which the memory must come back.

A failed request must not keep its body. Three kinds are mixed: refused by upstream (429 and 400), abandoned by the
client while it waits for the reply, and abandoned in the middle of the upload.
"""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable

import aiohttp

from scripts.benchmark.processes import Target

MODEL = "claude-haiku-4-5"
BODY = 1_000_000  # bytes of text in each request
AT_ONCE = 8
WARM_UP = 40  # requests before the first measurement: the allocator's arenas and the pools exist then
ALLOWED = 30.0  # MB more than before the phase
PATIENCE = 60  # seconds; the daemon collects garbage when it is idle


class Kept(Exception):
    """The daemon still holds memory of failed requests."""


class Failures:
    def __init__(
        self, session: aiohttp.ClientSession, target: Target, *, warm_up: int = WARM_UP, patience: float = PATIENCE
    ) -> None:
        self._session = session
        self._target = target
        self._warm_up = warm_up
        self._patience = patience
        self._url = f"http://127.0.0.1:{target.port}/openai/v1/chat/completions"

    async def run(self, count: int) -> None:
        """Send `count` failing requests. Raises Kept if more than ALLOWED MB do not come back."""
        await self._send(self._warm_up)
        before = self._target.rss()
        await self._send(count)
        peak = after = self._target.rss()
        deadline = time.monotonic() + self._patience
        while after > before + ALLOWED and time.monotonic() < deadline:
            await asyncio.sleep(1)
            after = self._target.rss()
        print(
            f"{count} failed requests of 1 MB: RSS {before:.0f} MB before, {peak:.0f} MB at the end, {after:.0f} MB now"
        )
        if after > before + ALLOWED:
            raise Kept(f"{after - before:.0f} MB of failed requests are still held; {ALLOWED:.0f} MB are allowed")

    async def _send(self, count: int) -> None:
        kinds: list[Callable[[], Awaitable[None]]] = [
            lambda: self._refused(429),
            lambda: self._refused(400),
            self._abandon_reply,
            self._abandon_upload,
        ]
        limit = asyncio.Semaphore(AT_ONCE)

        async def send(number: int) -> None:
            async with limit:
                await kinds[number % len(kinds)]()

        async with asyncio.TaskGroup() as group:
            for number in range(count):
                group.create_task(send(number))

    def _ask(self, script: str) -> "aiohttp.client._RequestContextManager":
        content = f"{script}\n{'filler ' * (BODY // 7)}"
        body = {"model": MODEL, "stream": True, "messages": [{"role": "user", "content": content}]}
        return self._session.post(self._url, json=body)

    async def _refused(self, status: int) -> None:
        async with self._ask(f"/simulate status {status} x-should-retry=false") as reply:
            await reply.read()
            if reply.status != status:
                raise Kept(f"a {status} of upstream's is a {reply.status}")

    async def _abandon_reply(self) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(0.5), self._ask("/simulate text a\n/simulate stall") as reply:
                await reply.read()

    async def _abandon_upload(self) -> None:
        _, writer = await asyncio.open_connection("127.0.0.1", self._target.port)
        head = (
            "POST /openai/v1/chat/completions HTTP/1.1\r\nHost: localhost\r\n"
            f"Content-Type: application/json\r\nContent-Length: {BODY}\r\n\r\n"
        )
        writer.write(head.encode() + b'{"model": "' + b"x" * (BODY // 2))
        await writer.drain()
        writer.transport.abort()
