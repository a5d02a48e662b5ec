"""Responses that are generated in the background: each in a task that survives the client that asked for it.

    start -> queued, stored -> in_progress -> completed, incomplete, failed or cancelled, stored again

While a run lives its events are in memory; afterwards, those of a run with `stream` are in the store.
"""

import asyncio
import functools
import logging

import msgspec
from aiohttp import web

from claude_proxy.dialects.base import ErrorReport, StreamedChoice
from claude_proxy.dialects.responses.dialect import ResponseRequest
from claude_proxy.dialects.responses.response import StreamedResponse
from claude_proxy.dialects.responses.stored_items import body_for_client
from claude_proxy.errors import ProxyError
from claude_proxy.server.concurrency import Slot
from claude_proxy.server.exchange import Exchange
from claude_proxy.server.failures import Stopping, report
from claude_proxy.server.generation import Generation, Sending
from claude_proxy.server.response_store import Continued, ResponseStore, stored_response
from claude_proxy.server.state import State
from claude_proxy.server.stream import EventStream
from claude_proxy.store.responses import StoredResponse
from claude_proxy.store.runs import RunEvent
from claude_proxy.transport.sink import Sink

log = logging.getLogger(__name__)

EVENTS_PER_WRITE = 1000
MAX_UNSAVED = 20  # ended runs that the store would not take


class Run:
    """One response in the background. As a FrameWriter it collects the events."""

    def __init__(self, ask: ResponseRequest, generation: Generation, exchange: Exchange) -> None:
        answer = generation.streamed()
        assert isinstance(answer, StreamedResponse)  # noqa: S101 - a ResponseRequest has no other
        self.answer = answer
        self.exchange = exchange
        self.generation = generation
        self.keeps_events = ask.stream
        self.events: list[bytes] = []
        self.over = False  # nothing will be added to `events`
        self.cancelled = False
        self.changed = asyncio.Event()
        self.task: asyncio.Task[None] | None = None
        self.queued_body = answer.document("queued")
        self.add(answer.begin("queued"))

    @property
    def id(self) -> str:
        return self.answer.id

    @property
    def body(self) -> bytes:
        """The response as it is now."""
        finished = self.answer.finished
        return finished.stored_body() if finished else self.answer.document("in_progress")

    def add(self, frames: bytes) -> None:
        """Add whole frames, and wake up those that follow the run."""
        if frames and self.keeps_events:
            self.events += [frame + b"\n\n" for frame in frames.split(b"\n\n")[:-1]]
            self._wake()

    def close(self) -> None:
        self.over = True
        self._wake()

    def _wake(self) -> None:
        self.changed.set()
        self.changed = asyncio.Event()

    def sink(self, choice: StreamedChoice) -> Sink:
        return _RunSink(self, choice)

    async def end(self, last: bytes) -> None:
        self.add(last)


class _RunSink:
    """A sink that adds the events of a choice to its run."""

    def __init__(self, run: Run, choice: StreamedChoice) -> None:
        self._run = run
        self._choice = choice

    @property
    def over(self) -> bool:
        return self._choice.reader.over

    def feed(self, data: bytes) -> None:
        self._run.add(self._choice.feed(data))


class BackgroundRuns:
    """The runs of one server."""

    def __init__(self, state: State, store: ResponseStore) -> None:
        self._state = state
        self._store = store
        self._runs: dict[str, Run] = {}

    def get(self, response_id: str) -> Run | None:
        return self._runs.get(response_id)

    async def start(
        self, ask: ResponseRequest, continued: Continued, exchange: Exchange, sending: Sending, slot: Slot
    ) -> Run:
        """Store the response as queued and begin to generate it, with the slot of the request that asked for it.

        Raises InvalidRequest for what cannot be translated, and StoreError when the response cannot be stored.
        """
        ask.on_finished = functools.partial(self._store.keep_ended, continued)
        run = Run(ask, Generation(self._state, exchange, ask, sending), exchange)
        record = stored_response(continued, run.id, "queued", run.queued_body)
        stored = asyncio.get_running_loop().create_future()
        self._runs[run.id] = run
        self._state.begin(exchange)
        run.task = exchange.task = asyncio.get_running_loop().create_task(
            self._run(run, slot.transfer(), record, stored)
        )
        await asyncio.shield(stored)  # the run goes on if the client leaves now
        return run

    async def _run(self, run: Run, slot: Slot, record: StoredResponse, stored: "asyncio.Future[None]") -> None:
        try:
            with run.generation:
                await self._store.require().responses.put(record)
                stored.set_result(None)
                await self._generate(run)
            await self._save(run)
        except ProxyError as exc:  # it cannot be stored: the request that asked for it says so
            run.exchange.error = report(exc)
            stored.set_exception(exc)
            stored.exception()  # that request may have ended
        finally:
            if not stored.done() or stored.exception() is not None:
                del self._runs[run.id]
                stored.cancel()
            slot.release()
            run.close()
            run.exchange.status = run.exchange.error.status if run.exchange.error else 200
            self._state.finish(run.exchange)

    async def _generate(self, run: Run) -> None:
        try:
            await run.generation.begin()
            await run.generation.stream(run.answer, run)
            await run.generation.drain()
        except asyncio.CancelledError:
            if run.answer.finished is not None:  # only what upstream still had to say was cancelled
                return
            if run.cancelled:
                run.add(run.answer.cancel())
            else:
                self._fail(run, report(Stopping()))
        except Exception as exc:  # noqa: BLE001 - there is no client that it could be raised to
            self._fail(run, report(exc))

    def _fail(self, run: Run, error: ErrorReport) -> None:
        run.exchange.error = error
        run.add(run.answer.error_event(error, run.exchange.id))

    async def _save(self, run: Run) -> None:
        """Wait until it is stored how the run ended, and store its events. What cannot be stored stays in memory."""
        if not await self._store.settled(run.id):
            ended = [id_ for id_, each in self._runs.items() if each.over]
            for id_ in ended[: max(0, len(ended) - MAX_UNSAVED + 1)]:
                del self._runs[id_]
            return
        store = self._store.require()
        try:
            for pos in range(0, len(run.events), EVENTS_PER_WRITE):
                part = run.events[pos : pos + EVENTS_PER_WRITE]
                await store.runs.append_events(run.id, [RunEvent(pos + i, frame) for i, frame in enumerate(part)])
        except ProxyError as exc:
            log.warning("the events of response %s were not stored: %s", run.id, exc.text)
        del self._runs[run.id]

    async def cancel(self, run: Run) -> None:
        """Cancel a run and wait for its end."""
        if run.task is not None and not run.task.done():
            if run.answer.finished is None:
                run.cancelled = True
                run.task.cancel()
            await asyncio.wait({run.task})

    async def wait(self) -> None:
        """Wait until no run is left."""
        while tasks := self._tasks():
            await asyncio.wait(tasks)

    async def close(self) -> None:
        """Cancel what still runs, and wait for it."""
        for task in self._tasks():
            if not task.cancelling():  # the end of the drain may have done it already
                task.cancel()
        await self.wait()

    def _tasks(self) -> "set[asyncio.Task[None]]":
        return {run.task for run in self._runs.values() if run.task is not None and not run.task.done()}


class Following:
    """The frames of a stream that follows a run, beside the run's own."""

    def __init__(self, after: int) -> None:
        self.next = after + 1  # the number of the next event

    def error_event(self, error: ErrorReport, request_id: str) -> bytes:
        detail = {"type": error.type, "code": error.code, "message": error.message, "param": error.param}
        body = {"type": "error", "sequence_number": self.next, "error": detail}
        return b"event: error\ndata: " + msgspec.json.encode(body) + b"\n\n"

    def keepalive(self) -> bytes:
        """It repeats the last number: clients resume after the highest one they have seen."""
        return b'event: keepalive\ndata: {"type":"keepalive","sequence_number":%d}\n\n' % max(self.next - 1, 0)


async def follow(run: Run, following: Following, client: EventStream) -> None:
    """Write the events of a run to a client until the run ends."""
    while True:
        changed = run.changed
        if events := run.events[following.next :]:
            following.next += len(events)
            await client.write(b"".join(events))
        elif run.over:
            return
        else:
            await changed.wait()


async def replay(store: ResponseStore, response: StoredResponse, following: Following, client: EventStream) -> None:
    """Write the stored events of a run that has ended. If there are none, its last one is made from the response."""
    runs = store.require().runs
    if not await runs.events_after(response.id, limit=1):
        await client.write(_final_event(response, following.next))
    while events := await runs.events_after(response.id, following.next - 1):
        following.next = events[-1].sequence_number + 1
        await client.write(b"".join(event.frame for event in events))


def _final_event(response: StoredResponse, number: int) -> bytes:
    event = response.status if response.status in ("completed", "incomplete") else "failed"
    data = b'{"type":"response.%b","sequence_number":%d,"response":%b}'
    body = body_for_client(response.body, ())
    return b"event: response.%b\ndata: " % event.encode() + data % (event.encode(), number, body) + b"\n\n"


RUNS = web.AppKey("runs", BackgroundRuns)
