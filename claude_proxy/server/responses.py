"""POST responses, and the stored ones: read, delete, and what was sent for them."""

from collections.abc import Mapping, Sequence
from typing import Literal

import msgspec
from aiohttp import web

from claude_proxy.dialects.responses.dialect import RESPONSES, ResponseRequest
from claude_proxy.dialects.responses.request import INCLUDABLE
from claude_proxy.dialects.responses.stored_items import body_for_client, item_for_client
from claude_proxy.errors import InvalidRequest
from claude_proxy.server.chat import answer
from claude_proxy.server.exchange import BODY, EXCHANGE
from claude_proxy.server.generation import own_id
from claude_proxy.server.response_store import RESPONSE_STORE, response_not_found
from claude_proxy.store.paging import Item, Page, Paging

_ORDERS: Mapping[str, Literal["asc", "desc"]] = {"asc": "asc", "desc": "desc"}

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


# ---------------------------------------------------------------------------------------- lists and their parameters


def json_response(body: bytes) -> web.Response:
    return web.Response(body=body, content_type="application/json")


def item_list(page: Page, include: Sequence[str]) -> bytes:
    """A page of items as OpenAI's list object."""
    return list_object(page.items, include, has_more=page.has_more)


def list_object(items: Sequence[Item], include: Sequence[str], *, has_more: bool) -> bytes:
    return _encode(
        {
            "object": "list",
            "data": [item_for_client(item.json, include) for item in items],
            "first_id": items[0].id if items else "",
            "last_id": items[-1].id if items else "",
            "has_more": has_more,
        }
    )


def paging_of(request: web.Request) -> Paging:
    """The page that the query of a list asks for. Raises InvalidRequest."""
    query = request.query
    order = query.get("order", "desc")
    if order not in _ORDERS:
        raise invalid_word("order", order, tuple(_ORDERS))
    limit = whole_number(query, "limit")
    return Paging(query.get("after"), query.get("before"), 20 if limit is None else limit, _ORDERS[order])


def included(request: web.Request) -> list[str]:
    """The values of `include`, in the spellings that clients use for lists in a query."""
    query = request.query
    names = [name for key in ("include", "include[]") for value in query.getall(key, []) for name in value.split(",")]
    for name in names:
        if name not in INCLUDABLE:
            raise invalid_word("include", name, INCLUDABLE)
    return names


def whole_number(query: Mapping[str, str], name: str) -> int | None:
    text = query.get(name)
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise InvalidRequest(f"Invalid value for '{name}': expected a whole number.", param=name, code="invalid_value")
    return int(text)


def invalid_word(param: str, word: str, known: Sequence[str]) -> InvalidRequest:
    words = ", ".join(repr(each) for each in known)
    return InvalidRequest(
        f"Invalid value: '{word[:100]}'. Supported values are: {words}.", param=param, code="invalid_value"
    )
