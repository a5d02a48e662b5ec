"""POST responses, and the stored ones: read, delete, and what was sent for them."""

import msgspec
from aiohttp import web

from claude_proxy.dialects.responses.dialect import RESPONSES, ResponseRequest
from claude_proxy.dialects.responses.stored_items import body_for_client
from claude_proxy.server.chat import answer
from claude_proxy.server.exchange import BODY, EXCHANGE
from claude_proxy.server.generation import own_id
from claude_proxy.server.lists import included, item_list, json_response, paging_of
from claude_proxy.server.response_store import RESPONSE_STORE, response_not_found

_encode = msgspec.json.Encoder().encode


async def create(request: web.Request) -> web.StreamResponse:
    request[EXCHANGE].metered = True
    ask = RESPONSES.read(request.get(BODY, b""))
    return await _answer_and_keep(request, ask)


async def _answer_and_keep(request: web.Request, ask: ResponseRequest) -> web.StreamResponse:
    exchange, store = request[EXCHANGE], request.app[RESPONSE_STORE]
    id_ = own_id(exchange)
    continued = await store.prepare(ask, id_)
    ask.on_finished = lambda finished: store.keep(ask, continued, finished)
    response = await answer(request, ask)
    # The head of a streamed answer left long ago; that of a whole one still waits, so it can hold a warning.
    if not ask.stream and not await store.settled(f"resp_{id_}"):
        exchange.warnings = (*exchange.warnings, "store")
    return response


async def retrieve(request: web.Request) -> web.StreamResponse:
    include = included(request)
    id_ = request.match_info["id"]
    store = request.app[RESPONSE_STORE]
    await store.settled(id_)
    stored = await store.require().responses.get(id_) if store.enabled else None
    if stored is None:
        raise response_not_found(id_)
    return json_response(body_for_client(stored.body, include))


async def delete(request: web.Request) -> web.StreamResponse:
    id_ = request.match_info["id"]
    store = request.app[RESPONSE_STORE]
    await store.settled(id_)
    if not store.enabled or not await store.require().responses.delete(id_):
        raise response_not_found(id_)
    return json_response(_encode({"id": id_, "object": "response", "deleted": True}))


async def input_items(request: web.Request) -> web.StreamResponse:
    include, paging = included(request), paging_of(request)
    id_ = request.match_info["id"]
    store = request.app[RESPONSE_STORE]
    await store.settled(id_)
    page = await store.require().responses.input_items(id_, paging) if store.enabled else None
    if page is None:
        raise response_not_found(id_)
    return json_response(item_list(page, include))
