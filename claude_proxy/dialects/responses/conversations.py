"""OpenAI's Conversations API: what its requests may hold, and the objects that answer them."""

from collections.abc import Mapping, Sequence

import msgspec
from msgspec import Raw

from claude_proxy.dialects.responses.input_items import check_item
from claude_proxy.dialects.responses.stored_items import StoredItem, stored_input
from claude_proxy.errors import InvalidRequest

# OpenAI's own limits
MAX_ITEMS = 20
MAX_PAIRS, MAX_KEY, MAX_VALUE = 16, 64, 512

_encode = msgspec.json.Encoder().encode


def checked_items(items: Sequence[Raw] | None, own_id: str) -> list[StoredItem]:
    """The items of a request with their ids. Raises InvalidRequest that names the place."""
    given = items or ()
    if len(given) > MAX_ITEMS:
        raise InvalidRequest(
            f"Invalid 'items': array too long. Expected an array with maximum length {MAX_ITEMS}, but got an array with"
            f" length {len(given)} instead.",
            param="items",
            code="array_above_max_length",
        )
    for index, item in enumerate(given):
        check_item(item, f"items[{index}]")
    return stored_input(given, own_id)


def checked_metadata(metadata: Mapping[str, str] | None) -> bytes:
    """The metadata as JSON. Raises InvalidRequest where it exceeds a limit."""
    pairs = metadata or {}
    if len(pairs) > MAX_PAIRS:
        raise _too_long("metadata", f"at most {MAX_PAIRS} pairs")
    for key, value in pairs.items():
        if len(key) > MAX_KEY:
            raise _too_long("metadata", f"keys of at most {MAX_KEY} characters")
        if len(value) > MAX_VALUE:
            raise _too_long(f"metadata.{key}", f"at most {MAX_VALUE} characters")
    return _encode(pairs)


def conversation_object(id_: str, created_at: float, metadata: bytes) -> bytes:
    return _encode(
        {"id": id_, "object": "conversation", "created_at": int(created_at), "metadata": Raw(metadata or b"{}")}
    )


def deleted_object(id_: str) -> bytes:
    return _encode({"id": id_, "object": "conversation.deleted", "deleted": True})


def _too_long(param: str, expected: str) -> InvalidRequest:
    return InvalidRequest(f"Invalid value for '{param}': expected {expected}.", param=param, code="invalid_value")
