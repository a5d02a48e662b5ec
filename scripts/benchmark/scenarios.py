"""What is measured: each scenario drives one target once, verifies every answer, and returns its figures."""

import asyncio
import statistics
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from scripts.benchmark.load import Answer, Connection, connections, get
from scripts.benchmark.processes import Target
from scripts.benchmark.requests import Wrong, request, verify

Figures = dict[str, float]


@dataclass(frozen=True)
class Size:
    """How much is done in one round."""

    streams: int = 8
    tokens: int = 2000
    paced: int = 200
    paced_tokens: int = 300
    requests: int = 400  # one after the other
    parallel: int = 4000  # 64 at a time
    big: int = 20
    held: tuple[int, ...] = (200, 1000)
    starts: int = 5


QUICK = Size(streams=2, tokens=200, paced=20, paced_tokens=30, requests=20, parallel=128, big=2, held=(20,), starts=1)


@dataclass(frozen=True)
class Run:
    """One scenario on one target."""

    upstream: Target
    target: Target
    size: Size

    async def mode(self, kind: str, tokens: int) -> None:
        await get(self.upstream.port, f"/mode/{kind}/{tokens}")

    def request(self, *, stream: bool, kind: str = "text", big: bool = False) -> bytes:
        return request(self.target.dialect, self.target.port, stream=stream, kind=kind, big=big)

    def verify(self, answers: list[Answer], *, stream: bool, kind: str, count: int) -> None:
        for answer in answers:
            verify(answer, self.target.dialect, stream=stream, kind=kind, count=count)


async def _one_after_the_other(connection: Connection, data: bytes, count: int) -> list[Answer]:
    return [await connection.ask(data) for _ in range(count)]


async def _streamed(run: Run, mode: str, kind: str) -> Figures:
    size = run.size
    await run.mode(mode, size.tokens)
    data = run.request(stream=True, kind=kind)
    async with connections(run.target.port, 1) as (connection,):
        await connection.ask(data)
        before = run.target.cpu()
        answers = await _one_after_the_other(connection, data, size.streams)
        cpu = run.target.cpu() - before
    run.verify(answers, stream=True, kind=kind, count=size.tokens)
    return {"cpu_us_per_event": cpu / size.streams / size.tokens * 1e6}


async def text(run: Run) -> Figures:
    return await _streamed(run, "text", "text")


async def responses(run: Run) -> Figures:
    """As `text`, through the Responses API. Deltas that come in one read are one event there."""
    return await _streamed(run, "text", "responses")


async def coalesced(run: Run) -> Figures:
    return await _streamed(run, "coalesced", "text")


async def tool(run: Run) -> Figures:
    return await _streamed(run, "tool", "tool")


async def thinking(run: Run) -> Figures:
    return await _streamed(run, "thinking", "thinking")


async def paced(run: Run) -> Figures:
    """Streams that start 5 ms apart, with 100 tokens per second each."""
    size = run.size
    await run.mode("paced", size.paced_tokens)
    data = run.request(stream=True)

    async def later(connection: Connection, index: int) -> Answer:
        await asyncio.sleep(index * 0.005)
        return await connection.ask(data)

    async with connections(run.target.port, size.paced) as opened:
        before = run.target.cpu()
        answers = await asyncio.gather(*(later(each, index) for index, each in enumerate(opened)))
        cpu = run.target.cpu() - before
    run.verify(answers, stream=True, kind="timed", count=size.paced_tokens)
    first = [(answer.first_token - answer.asked) / 1e6 for answer in answers]
    delays = [delay / 1e6 for answer in answers for delay in answer.delays[1:]]
    return {
        "cpu_s": cpu,
        "first_token_p50_ms": quantile(first, 50),
        "first_token_p99_ms": quantile(first, 99),
        "token_delay_p50_ms": quantile(delays, 50),
        "token_delay_p99_ms": quantile(delays, 99),
    }


async def single(run: Run) -> Figures:
    await run.mode("small", 20)
    data = run.request(stream=False)
    async with connections(run.target.port, 1) as (connection,):
        await _one_after_the_other(connection, data, 10)
        answers = await _one_after_the_other(connection, data, run.size.requests)
    run.verify(answers, stream=False, kind="text", count=20)
    return {"p50_ms": quantile([(answer.ended - answer.asked) / 1e6 for answer in answers], 50)}


async def parallel(run: Run) -> Figures:
    await run.mode("small", 20)
    data = run.request(stream=False)
    each = run.size.parallel // 64
    async with connections(run.target.port, 64) as opened:
        await asyncio.gather(*(connection.ask(data) for connection in opened))
        before = run.target.cpu()
        lists = await asyncio.gather(*(_one_after_the_other(connection, data, each) for connection in opened))
        cpu = run.target.cpu() - before
    answers = [answer for some in lists for answer in some]
    run.verify(answers, stream=False, kind="text", count=20)
    took = (max(answer.ended for answer in answers) - min(answer.asked for answer in answers)) / 1e9
    return {"requests_per_s": len(answers) / took, "cpu_ms_per_request": cpu / len(answers) * 1e3}


async def big(run: Run) -> Figures:
    await run.mode("small", 20)
    data = run.request(stream=False, big=True)
    async with connections(run.target.port, 1) as (connection,):
        await _one_after_the_other(connection, data, 2)
        before = run.target.cpu()
        answers = await _one_after_the_other(connection, data, run.size.big)
        cpu = run.target.cpu() - before
    run.verify(answers, stream=False, kind="text", count=20)
    p50 = quantile([(answer.ended - answer.asked) / 1e6 for answer in answers], 50)
    return {"p50_ms": p50, "cpu_ms_per_request": cpu / len(answers) * 1e3}


async def held(run: Run) -> Figures:
    """Memory before and with open streams; each has sent its first token and then nothing."""
    await run.mode("held", 1)
    figures = {"rss_before_mb": run.target.rss()}
    for count in run.size.held:
        async with connections(run.target.port, count) as opened:
            for connection in opened:
                connection.begin(run.request(stream=True))
            await asyncio.gather(*(connection.first_token() for connection in opened))
            figures[f"rss_{count}_mb"] = run.target.rss()
    return figures


# `held` comes first, because it measures a fresh process.
SCENARIOS: dict[str, Callable[[Run], Awaitable[Figures]]] = {
    "held": held,
    "text": text,
    "responses": responses,
    "coalesced": coalesced,
    "tool": tool,
    "thinking": thinking,
    "paced": paced,
    "single": single,
    "parallel": parallel,
    "big": big,
}


def quantile(values: list[float], percent: int) -> float:
    if not values:
        raise Wrong("nothing was measured")
    return statistics.quantiles(values, n=100, method="inclusive")[percent - 1] if len(values) > 1 else values[0]
