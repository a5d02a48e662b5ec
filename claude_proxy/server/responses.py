"""POST responses, and the stored ones: read, delete, and what was sent for them."""

import functools
from contextlib import AbstractAsyncContextManager

import msgspec
from aiohttp import web

from claude_proxy.dialects.responses.dialect import RESPONSES, ResponseRequest
from claude_proxy.dialects.responses.stored_items import body_for_client, is_background
from claude_proxy.errors import InvalidRequest
from claude_proxy.server.background import RUNS, Following, follow, replay
from claude_proxy.server.chat import answer, sending
from claude_proxy.server.concurrency import SLOT
from claude_proxy.server.exchange import BODY, EXCHANGE, Exchange
from claude_proxy.server.generation import own_id
from claude_proxy.server.lists import included, item_list, json_response, paging_of, true_or_false, whole_number
from claude_proxy.server.replies import new_id
from claude_proxy.server.response_store import RESPONSE_STORE, response_not_found
from claude_proxy.server.state import STATE
from claude_proxy.server.stream import EventStream, open_stream
from claude_proxy.store.responses import StoredResponse

_encode = msgspec.json.Encoder().encode


async def create(request: web.Request) -> web.StreamResponse:
    request[EXCHANGE].metered = True  # also when it cannot be read
    ask = RESPONSES.read(request.get(BODY, b""))
    if ask.request.background:
        return await _start_in_background(request, ask)
    return await _answer_and_keep(request, ask)


async def _answer_and_keep(request: web.Request, ask: ResponseRequest) -> web.StreamResponse:
    exchange, store = request[EXCHANGE], request.app[RESPONSE_STORE]
    id_ = own_id(exchange)
    continued = await store.prepare(ask, id_)
    ask.on_finished = functools.partial(store.keep, continued)
    response = await answer(request, ask)
    # The head of a streamed answer left long ago; that of a whole one still waits, so it can hold a warning.
    if not ask.stream and not await store.settled(f"resp_{id_}"):
        exchange.warnings = (*exchange.warnings, "store")
    return response


async def _start_in_background(request: web.Request, ask: ResponseRequest) -> web.StreamResponse:
    """Begin a run, and answer at once: with the queued response, or with its events while the client listens."""
    store, runs = request.app[RESPONSE_STORE], request.app[RUNS]
    if ask.request.store is False or not store.enabled:
        raise InvalidRequest(
            "A response in the background must be stored, but `store` is off.", param="background", code="invalid_value"
        )
    client = request[EXCHANGE]
    exchange = Exchange(new_id(), client.method, client.path, client.client, client.dialect)
    continued = await store.prepare(ask, own_id(exchange))
    run = await runs.start(ask, continued, exchange, sending(request), request[SLOT])
    client.model, client.warnings, client.metered = exchange.model, exchange.warnings, False  # the run is metered
    if not ask.stream:
        return json_response(run.queued_body)
    following = Following(-1)
    async with _events(request, following) as stream:
        await follow(run, following, stream)
    return stream


def _events(request: web.Request, following: Following) -> AbstractAsyncContextManager[EventStream]:
    return open_stream(request, events=following, keepalive=request.app[STATE].config.keepalive_interval)


async def retrieve(request: web.Request) -> web.StreamResponse:
    include, id_ = included(request), request.match_info["id"]
    if true_or_false(request.query, "stream"):
        return await _resume(request, id_)
    if (run := request.app[RUNS].get(id_)) is not None:
        return json_response(body_for_client(run.body, include))
    return json_response(body_for_client((await _stored(request, id_)).body, include))


async def _resume(request: web.Request, id_: str) -> web.StreamResponse:
    """The events of a run after the one that the client has seen last."""
    after = whole_number(request.query, "starting_after")
    following = Following(-1 if after is None else after)
    if (run := request.app[RUNS].get(id_)) is not None:
        if not run.keeps_events:
            raise _no_stream("it was created without `stream`")
        async with _events(request, following) as stream:
            await follow(run, following, stream)
        return stream
    response = await _stored(request, id_)
    if not is_background(response.body):
        raise _no_stream("it was created without `background`")
    async with _events(request, following) as stream:
        await replay(request.app[RESPONSE_STORE], response, following, stream)
    return stream


def _no_stream(reason: str) -> InvalidRequest:
    return InvalidRequest(f"This response cannot be streamed: {reason}.", param="stream", code="invalid_value")


async def cancel(request: web.Request) -> web.StreamResponse:
    """Cancel a run; one that has ended stays as it is."""
    id_, runs = request.match_info["id"], request.app[RUNS]
    if (run := runs.get(id_)) is not None:
        await runs.cancel(run)
        return json_response(body_for_client(run.body, ()))
    response = await _stored(request, id_)
    if not is_background(response.body):
        raise InvalidRequest("Only a response that was created with `background` can be cancelled.", param="id")
    return json_response(body_for_client(response.body, ()))


async def delete(request: web.Request) -> web.StreamResponse:
    id_, runs, store = request.match_info["id"], request.app[RUNS], request.app[RESPONSE_STORE]
    if (run := runs.get(id_)) is not None:
        await runs.cancel(run)
    await store.settled(id_)
    if not store.enabled or not await store.require().responses.delete(id_):
        raise response_not_found(id_)
    return json_response(_encode({"id": id_, "object": "response", "deleted": True}))


async def _stored(request: web.Request, id_: str) -> StoredResponse:
    store = request.app[RESPONSE_STORE]
    await store.settled(id_)
    stored = await store.require().responses.get(id_) if store.enabled else None
    if stored is None:
        raise response_not_found(id_)
    return stored


async def input_items(request: web.Request) -> web.StreamResponse:
    include, paging = included(request), paging_of(request)
    id_ = request.match_info["id"]
    store = request.app[RESPONSE_STORE]
    await store.settled(id_)
    page = await store.require().responses.input_items(id_, paging) if store.enabled else None
    if page is None:
        raise response_not_found(id_)
    return json_response(item_list(page, include))
