"""POST chat/completions: the main job, streamed or folded, one choice or several."""

import asyncio
import logging
import time
from collections.abc import Coroutine
from typing import TypeVar

from aiohttp import web
from msgspec import Struct

from claude_proxy.dialects.chat.context import ChatTranslation
from claude_proxy.dialects.chat.fold import CompletionFold, completion
from claude_proxy.dialects.chat.request import to_messages_request
from claude_proxy.dialects.chat.stream import StreamTranslator
from claude_proxy.dialects.chat.usage import completion_usage
from claude_proxy.errors import ProxyError
from claude_proxy.server.exchange import BODY, EXCHANGE, STATE, Exchange, State
from claude_proxy.server.replies import header_safe
from claude_proxy.server.stream import EventStream, open_stream
from claude_proxy.translate.block_collector import append_assistant_message
from claude_proxy.translate.failure import openai_headers, refused_thinking, upstream_failure
from claude_proxy.translate.models import SHIPPED, Model, resolve
from claude_proxy.transport.sink import Sink, Wait
from claude_proxy.upstream.base import Reply
from claude_proxy.upstream.retry import client_retries
from claude_proxy.wire.anthropic import Usage, summed
from claude_proxy.wire.chat_request import ChatRequest, read_chat_request

log = logging.getLogger(__name__)

T = TypeVar("T")

# After the last event upstream only has to end its reply; waiting for that keeps the connection for the next one.
DRAIN = 0.5


async def chat_completions(request: web.Request) -> web.StreamResponse:
    exchange, state = request[EXCHANGE], request.app[STATE]
    chat, unknown = read_chat_request(request.get(BODY, b""))
    live = state.catalog.snapshot()
    config = state.config
    target = resolve(chat.model, config.aliases, live.values() or SHIPPED, retired=config.retired_models)
    model = state.catalog.model(target)
    translation = _translated(state, chat, unknown, model)
    ask = _Ask(state, exchange, chat, unknown, model, translation, _betas(request), client_retries(request.headers))
    exchange.model, exchange.upstream_model = chat.model, model.id
    exchange.warnings = ask.translation.warnings
    _log_notes(ask)
    upstreams: list[_Upstream] = []
    try:
        await _gathered([ask.send(upstreams) for _ in range(ask.translation.choices)])
        headers = openai_headers(upstreams[0].reply.headers, now=time.time())
        headers["x-claude-proxy-model"] = model.id
        answer = _streamed if chat.stream else _folded
        return await answer(request, ask, upstreams, header_safe(headers))
    finally:
        for upstream in upstreams:
            upstream.reply.close()


def _betas(request: web.Request) -> list[str]:
    """The client's `anthropic-beta` headers, each a comma-separated list of names."""
    return request.headers.getall("anthropic-beta", [])


class _Upstream(Struct):
    """One choice's way upstream: the reply that is being read."""

    reply: Reply


class _Ask(Struct):
    """One client's request, translated, and how to send it; again, if upstream will have it otherwise."""

    state: State
    exchange: Exchange
    chat: ChatRequest
    unknown: frozenset[str]
    model: Model
    translation: ChatTranslation
    betas: list[str]  # the client's
    client_retries: int

    async def send(self, upstreams: list[_Upstream]) -> None:
        """Append upstream's reply to the request, a good one. Raises its refusal as a ProxyError."""
        try:
            reply = await self.sent(self.translation.body)
        except ProxyError as refusal:
            if not refused_thinking(refusal):
                raise
            # Signed thinking that upstream takes no more (another account, a changed prefix) may be left out.
            self.translation = _translated(self.state, self.chat, self.unknown, self.model, without_thinking=True)
            reply = await self.sent(self.translation.body)
        upstreams.append(_Upstream(reply))

    async def sent(self, body: bytes) -> Reply:
        """Upstream's reply to `body`, a good one; close it."""
        betas = [*self.translation.betas, *self.betas]
        reply = await self.state.backend.messages(body, betas=betas, client_retries=self.client_retries)
        if reply.status != 200:
            with reply:
                raise upstream_failure(reply.status, reply.headers, await reply.read(), now=time.time())
        return reply


def _translated(
    state: State, chat: ChatRequest, unknown: frozenset[str], model: Model, *, without_thinking: bool = False
) -> ChatTranslation:
    return to_messages_request(
        chat,
        unknown,
        model=model,
        options=state.config,
        memory=state.thinking,
        without_thinking=without_thinking,
    )


class _Passage:
    """Writes what a translator makes of each part, in the same call in which the part came."""

    def __init__(self, translator: StreamTranslator, client: EventStream) -> None:
        self._reader = translator.reader
        self._translated = translator.feed
        self._write = client.feed

    @property
    def over(self) -> bool:
        return self._reader.over

    def feed(self, data: bytes) -> Wait | None:
        frames = self._translated(data)
        return self._write(frames) if frames else None


async def _folded(
    request: web.Request, ask: _Ask, upstreams: list[_Upstream], headers: dict[str, str]
) -> web.StreamResponse:
    reply_context = ask.translation.reply
    folds = [CompletionFold(reply_context, index=index) for index in range(len(upstreams))]
    pairs = zip(upstreams, folds, strict=True)
    ended = await _gathered([_read(ask, upstream, fold, fold) for upstream, fold in pairs])
    await _drained(ended)
    _account(request[EXCHANGE], [fold.usage for fold in folds])
    body = completion(folds, reply_context, created=int(time.time()))
    headers["Content-Type"] = "application/json"
    return web.Response(body=body, headers=headers)


async def _streamed(
    request: web.Request, ask: _Ask, upstreams: list[_Upstream], headers: dict[str, str]
) -> web.StreamResponse:
    created, several = int(time.time()), len(upstreams) > 1
    id_ = f"chatcmpl-{request[EXCHANGE].id.removeprefix('req_')}" if several else None
    streams = [
        StreamTranslator(ask.translation.reply, created=created, index=index, id_=id_)
        for index in range(len(upstreams))
    ]
    ended: list[Reply | None] = []  # stays empty when the stream breaks, which `open_stream` has told by then
    async with open_stream(request, headers, keepalive=ask.state.config.keepalive_interval) as client:
        pairs = zip(upstreams, streams, strict=True)
        ended = await _gathered([_read(ask, upstream, each, _Passage(each, client)) for upstream, each in pairs])
        usages = [stream.usage for stream in streams]
        _account(request[EXCHANGE], usages)
        await client.end(streams[0].end(_whole(usages)))
    await _drained(ended)
    return client


async def _read(ask: _Ask, upstream: _Upstream, answer: StreamTranslator | CompletionFold, sink: Sink) -> Reply | None:
    """Let `sink` have one answer to its end, pauses included, and `answer` see whether that is whole.

    Returns upstream's last reply, None if it was ended from here. Raises ProxyError if the answer is not whole.
    """
    reader, body = answer.reader, ask.translation.body
    while True:
        await upstream.reply.feed(sink)
        if not reader.paused or reader.collector is None:
            break
        body = append_assistant_message(body, reader.collector.blocks())
        answer.resume()
        upstream.reply.close()
        upstream.reply = await ask.sent(body)
    answer.close()
    if reader.cut:
        upstream.reply.close()
        return None
    if (turn := reader.remembered(ask.model.id, ask.translation.prefix)) is not None:
        ask.state.thinking.remember(turn)
    return upstream.reply


class _Nothing:
    """A sink for what says nothing any more."""

    over = False

    def feed(self, data: bytes) -> None:
        pass


async def _drained(replies: list[Reply | None]) -> None:
    open_still = [reply for reply in replies if reply is not None and not reply.ended]
    if not open_still:
        return
    try:
        async with asyncio.timeout(DRAIN):
            for reply in open_still:
                await reply.feed(_Nothing())
    except (TimeoutError, ProxyError):
        log.debug("upstream did not end its reply after the last event")


async def _gathered(jobs: list[Coroutine[None, None, T]]) -> list[T]:
    """What the jobs return, all at once; the first failure ends the others and is raised."""
    if len(jobs) == 1:
        return [await jobs[0]]
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(job) for job in jobs]
    except* ProxyError as failures:
        raise failures.exceptions[0] from None
    return [task.result() for task in tasks]


def _whole(usages: list[Usage | None]) -> Usage | None:
    """The sum, or None where a part of it is not known."""
    known = [usage for usage in usages if usage is not None]
    return summed(known) if len(known) == len(usages) else None


def _account(exchange: Exchange, usages: list[Usage | None]) -> None:
    if (usage := _whole(usages)) is not None:
        counted = completion_usage(usage)
        exchange.input_tokens, exchange.output_tokens = counted.prompt_tokens, counted.completion_tokens


def _log_notes(ask: _Ask) -> None:
    """A parameter without effect is a WARNING the first time a client sends it, and DEBUG from then on."""
    for note in ask.translation.notes:
        key = (ask.exchange.client, note.param.partition("[")[0])
        first = note.kind == "warning" and ask.state.first_time(key)
        log.log(
            logging.WARNING if first else logging.DEBUG, "%s from %s: %s", note.param, ask.exchange.client, note.text
        )
