"""One answer, in any dialect: the request is sent upstream, and the reply read to its end.

    Generation -> begin: every choice has upstream's head, or the refusal is raised
               -> stream: frames go to a FrameWriter while the replies are read     -> drain -> close
               -> fold: one body, once all replies are read

It needs no client's connection: a record and, for `stream`, somewhere to put frames are enough.
"""

import asyncio
import dataclasses
import logging
import time
from collections.abc import Coroutine, Sequence
from types import TracebackType
from typing import Protocol, Self, TypeVar

import msgspec
from msgspec import Struct

from claude_proxy.dialects.base import Choice, Request, StreamedAnswer, StreamedChoice
from claude_proxy.errors import ProxyError, UpstreamError
from claude_proxy.log import one_line
from claude_proxy.server.exchange import Exchange
from claude_proxy.server.state import State
from claude_proxy.translate.block_collector import append_assistant_message
from claude_proxy.translate.draft import Note
from claude_proxy.translate.encoding import counted
from claude_proxy.translate.failure import openai_headers, refused_thinking, upstream_failure
from claude_proxy.translate.models import SHIPPED, Limits, Model, resolve
from claude_proxy.transport.sink import Sink
from claude_proxy.upstream.base import Abilities, BackendChanged, NativeRequest, Reply
from claude_proxy.wire.anthropic import Usage, read_token_count, summed

log = logging.getLogger(__name__)

T = TypeVar("T")

# After the last event upstream only has to end its reply; waiting for that keeps the connection for the next request.
DRAIN = 0.5


class FrameWriter(Protocol):
    """Where the frames of a streamed answer go."""

    def sink(self, choice: StreamedChoice) -> Sink:
        """A sink for upstream's bytes that writes the frames `choice` makes of them."""

    async def end(self, last: bytes) -> None:
        """Write the last frames and end the stream."""


class Sending(Struct, frozen=True):
    """What the client wants about the sending: betas of its own, and how often it has already sent this request."""

    betas: Sequence[str] = ()
    client_retries: int = 0


class _Sent(Struct):
    """One Messages request for one choice: which translation it is, and the reply that is being read."""

    prompt: int
    reply: Reply | None = None


class Generation:
    """The answer to `request`, whose facts go into `exchange`.

    Making one translates the request, and raises InvalidRequest. It is a context that ends the upstream requests.
    """

    def __init__(self, state: State, exchange: Exchange, request: Request, sending: Sending) -> None:
        live = state.catalog.snapshot()
        exchange.model = request.model
        self._state = state
        self._exchange = exchange
        self._request = request
        self._sending = sending
        config = state.config
        target = resolve(request.model, config.aliases, live.values() or SHIPPED, retired=config.retired_models)
        self._target = target
        self._translate_for_backend()
        self._sent: list[_Sent] = []
        self._choices: Sequence[Choice] = ()

    def _translate_for_backend(self) -> None:
        """Translate for the backend that answers now; what it cannot carry becomes a warning."""
        state, exchange = self._state, self._exchange
        self._model = _within_abilities(state.catalog.model(self._target), state.backend.abilities)
        exchange.upstream_model = self._model.id
        exchange.backend = state.backend.name
        self._translate(without_thinking=False)
        translations = self._translated.translations
        exchange.notes = tuple([note for each in translations for note in each.notes])
        exchange.warnings = ()  # an earlier translation, for another backend, may have had some
        if exchange.notes:
            exchange.warnings = tuple(dict.fromkeys(name for each in translations for name in each.warnings))
            self._log_notes(exchange.notes)

    def _translate(self, *, without_thinking: bool) -> None:
        state = self._state
        self._translated = self._request.translate(
            model=self._model,
            options=state.config,
            memory=state.thinking,
            without_thinking=without_thinking,
        )

    # ------------------------------------------------------------------------------------------------ sending

    async def begin(self) -> None:
        """Send every request. Raises ProxyError when upstream refuses one of them, or a limit of the user's does."""
        self._exchange.metered = True
        self._state.spending.check()
        self._sent = [
            _Sent(number) for number, each in enumerate(self._translated.translations) for _ in range(each.choices)
        ]
        self._exchange.choices = len(self._sent)
        await gathered([self._send(sent) for sent in self._sent])

    @property
    def headers(self) -> dict[str, str]:
        """Upstream's headers as the client gets them, and the model that answers."""
        reply = self._sent[0].reply
        headers = openai_headers(reply.headers, now=time.time()) if reply is not None else {}
        headers["x-claude-proxy-model"] = self._model.id
        return headers

    async def _send(self, sent: _Sent) -> None:
        try:
            await self._send_once(sent)
        except BackendChanged:
            self._translate_for_backend()
            await self._send_once(sent)

    async def _send_once(self, sent: _Sent) -> None:
        """Send one request, and once more without thinking if that is what upstream refuses."""
        body = self._translated.translations[sent.prompt].body
        try:
            sent.reply = await self._reply_to(sent, body)
        except BackendChanged:
            raise
        except ProxyError as refusal:
            if not refused_thinking(refusal):
                raise
            # Signed thinking that upstream does not accept any more (another account, a changed prefix) may be left
            # out. Where nothing was left out, upstream would refuse the same bytes again.
            self._translate(without_thinking=True)
            if self._translated.translations[sent.prompt].body == body:
                raise
        else:
            return
        sent.reply = await self._reply_to(sent, self._translated.translations[sent.prompt].body)

    async def _reply_to(self, sent: _Sent, body: bytes) -> Reply:
        """Upstream's reply to `body`, with status 200. The caller closes it."""
        betas = [*self._translated.translations[sent.prompt].betas, *self._sending.betas]
        backend, retries = self._state.backend, self._sending.client_retries
        self._exchange.upstream_requests += 1
        reply = await backend.messages(body, betas=betas, client_retries=retries)
        self._state.spending.see(reply.headers, self._model.id, succeeded=reply.status == 200)
        if reply.status != 200:
            with reply:
                raise upstream_failure(reply.status, reply.headers, await reply.read(), now=time.time())
        return reply

    async def count_tokens(self) -> int:
        """How many tokens the input of the first request has, instead of sending it. Raises ProxyError."""
        translation = self._translated.translations[0]
        betas = [*translation.betas, *self._sending.betas]
        headers = {"anthropic-beta": ",".join(betas)} if betas else {}
        asked = NativeRequest("POST", "/v1/messages/count_tokens", counted(translation.body), headers)
        with await self._state.backend.native(asked) as reply:
            data = await reply.read()
        if reply.status != 200:
            raise upstream_failure(reply.status, reply.headers, data, now=time.time())
        try:
            return read_token_count(data).input_tokens
        except (msgspec.MsgspecError, UnicodeDecodeError) as exc:
            raise UpstreamError("upstream's reply to count_tokens cannot be read") from exc

    # ------------------------------------------------------------------------------------------------ reading

    def streamed(self) -> StreamedAnswer:
        """The answer as a stream, to be given to `stream`."""
        answer = self._translated.streamed(id_=own_id(self._exchange), created=int(time.time()))
        self._choices = answer.choices
        return answer

    async def stream(self, answer: StreamedAnswer, writer: FrameWriter) -> None:
        """Write the whole answer. Raises ProxyError when it cannot be whole; the stream is then still open."""
        pairs = zip(self._sent, answer.choices, strict=True)
        await gathered([self._read(sent, choice, writer.sink(choice)) for sent, choice in pairs])
        await writer.end(answer.end(self._account()))

    async def fold(self) -> bytes:
        """The whole answer as one body. Raises ProxyError when it cannot be whole."""
        answer = self._translated.folded(id_=own_id(self._exchange), created=int(time.time()))
        self._choices = answer.choices
        pairs = zip(self._sent, answer.choices, strict=True)
        await gathered([self._read(sent, choice, choice) for sent, choice in pairs])
        self._account()
        await self.drain()
        return answer.body()

    async def _read(self, sent: _Sent, choice: Choice, sink: Sink) -> None:
        """Let `sink` have one choice to its end, pauses included. Raises ProxyError if the choice is not whole."""
        reader = choice.reader
        translation = self._translated.translations[sent.prompt]
        body = translation.body
        while sent.reply is not None:
            await sent.reply.pipe_to(sink)
            if not reader.paused or reader.collector is None:
                break
            body = append_assistant_message(body, reader.collector.blocks())
            choice.resume()
            sent.reply.close()
            sent.reply = await self._reply_to(sent, body)
        choice.close()
        if reader.cut:
            self._close(sent)
        elif (turn := reader.remembered(self._model.id, translation.prefix)) is not None:
            self._state.thinking.remember(turn)

    # ----------------------------------------------------------------------------------------------- the end

    async def drain(self) -> None:
        """Read what upstream still has to send after the last event, for a moment."""
        unfinished = [sent.reply for sent in self._sent if sent.reply is not None and not sent.reply.ended]
        if not unfinished:
            return
        try:
            async with asyncio.timeout(DRAIN):
                for reply in unfinished:
                    await reply.pipe_to(_Discard())
        except (TimeoutError, ProxyError):
            log.debug("upstream did not end its reply after the last event")

    def close(self) -> None:
        """End the upstream requests; those that are not at their end are aborted."""
        for sent in self._sent:
            self._close(sent)
        if self._exchange.usage is None:  # the answer is not whole: what is known was paid for all the same
            known = [choice.reader.usage for choice in self._choices]
            self._exchange.usage = summed([usage for usage in known if usage is not None])
        for choice in self._choices:
            choice.reader.release()
        self._choices = ()

    def _close(self, sent: _Sent) -> None:
        if sent.reply is not None:
            sent.reply.close()
            sent.reply = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # ------------------------------------------------------------------------------------------- the record

    def _account(self) -> Usage | None:
        """Put what all choices have cost into the record; None where upstream has not said it for each of them."""
        usages = [choice.usage for choice in self._choices]
        known = [usage for usage in usages if usage is not None]
        usage = summed(known) if len(known) == len(usages) else None
        self._exchange.usage = usage
        return usage

    def _log_notes(self, notes: Sequence[Note]) -> None:
        """A parameter without effect is a WARNING the first time a client sends it, and DEBUG from then on."""
        client = self._exchange.client
        for note in notes:
            first = note.kind == "warning" and self._state.first_time((client, note.param.partition("[")[0]))
            level = logging.WARNING if first else logging.DEBUG
            log.log(level, "%s from %s: %s", one_line(note.param[:100]), client, note.text)


def own_id(exchange: Exchange) -> str:
    """The part that the ids of a request and of its answer have in common, while upstream has given none."""
    return exchange.id.removeprefix("req_")


def _within_abilities(model: Model, abilities: Abilities) -> Model:
    """`model` as the backend can ask it."""
    if abilities.system_messages and not abilities.without_fields and abilities.without_cache_marks is None:
        return model
    limits = Limits(abilities.without_fields, abilities.without_cache_marks)
    return dataclasses.replace(
        model, limits=limits, system_messages=model.system_messages and abilities.system_messages
    )


class _Discard:
    """A sink that drops what it gets."""

    over = False

    def feed(self, data: bytes) -> None:
        pass


async def gathered(jobs: list[Coroutine[None, None, T]]) -> list[T]:
    """The results of the jobs, which run at the same time; the first failure ends the others and is raised.

    Unlike a TaskGroup it leaves no reference cycle behind: here no frame that a failure came through refers to it.
    """
    if len(jobs) == 1:
        return [await jobs[0]]
    tasks = [asyncio.ensure_future(job) for job in jobs]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
        if (failed := _first_failed(tasks)) is None:
            return [task.result() for task in tasks]
        await failed.pop()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        _first_failed(tasks)  # looks at every failure, or asyncio logs those that nothing has looked at
        tasks.clear()
    raise AssertionError


def _first_failed(tasks: "list[asyncio.Task[T]]") -> "list[asyncio.Task[T]] | None":
    """The first task that has failed, in a list from which it can be taken out."""
    failed = [task for task in tasks if task.done() and not task.cancelled() and task.exception() is not None]
    return failed[:1] or None
