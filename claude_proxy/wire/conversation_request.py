"""The bodies of OpenAI's Conversations API as clients send them. Items stay `msgspec.Raw`, as in Responses requests."""

from typing import TypeVar

import msgspec
from msgspec import Raw, Struct

from claude_proxy.wire.decoding import check_utf8, decode, repaired


class ConversationCreate(Struct):
    items: list[Raw] | None = None
    metadata: dict[str, str] | None = None


class ConversationUpdate(Struct):
    metadata: dict[str, str] | None


class ItemsCreate(Struct):
    items: list[Raw]


T = TypeVar("T", ConversationCreate, ConversationUpdate, ItemsCreate)


def read_body(body: bytes, type_: type[T]) -> T:
    """The request in `body`; an empty one is an empty object. Raises InvalidRequest that names the place."""
    if not body.isascii():
        check_utf8(body)
    return decode(msgspec.json.Decoder(type_).decode, repaired(body) or b"{}")
