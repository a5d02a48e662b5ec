"""Lists of items as OpenAI answers them: the parameters of their queries, and the list object."""

from collections.abc import Mapping, Sequence
from typing import Literal

import msgspec
from aiohttp import web

from claude_proxy.dialects.responses.request import INCLUDABLE
from claude_proxy.dialects.responses.stored_items import item_for_client
from claude_proxy.errors import InvalidRequest
from claude_proxy.store.paging import Item, Page, Paging

_ORDERS: Mapping[str, Literal["asc", "desc"]] = {"asc": "asc", "desc": "desc"}

_encode = msgspec.json.Encoder().encode


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


def true_or_false(query: Mapping[str, str], name: str) -> bool:
    """The value of a flag; false if it is absent."""
    text = query.get(name, "false").lower()
    if text not in ("true", "false"):
        raise invalid_word(name, text, ("true", "false"))
    return text == "true"


def invalid_word(param: str, word: str, known: Sequence[str]) -> InvalidRequest:
    words = ", ".join(repr(each) for each in known)
    return InvalidRequest(
        f"Invalid value: '{word[:100]}'. Supported values are: {words}.", param=param, code="invalid_value"
    )
