from typing import Any, get_args

import msgspec
import pytest
from openai.types.responses.response_input_item_param import ResponseInputItemParam
from typing_extensions import get_type_hints, is_typeddict

from claude_proxy.wire.responses_items import ITEMS, LEFT_OUT_ITEMS


def members(type_: Any) -> list[Any]:
    """The TypedDicts of a union."""
    if is_typeddict(type_):
        return [type_]
    return [member for argument in get_args(type_) if not isinstance(argument, str) for member in members(argument)]


def types_of(member: Any) -> list[str]:
    hint = get_type_hints(member)["type"]
    words = [word for part in (hint, *get_args(hint)) for word in get_args(part)]
    return [word for word in words if isinstance(word, str)] or [hint]


def test_every_item_of_the_newest_sdk_is_read_or_left_out():
    theirs = {name for member in members(ResponseInputItemParam) for name in types_of(member)}
    assert theirs == ITEMS.keys() | LEFT_OUT_ITEMS


@pytest.mark.parametrize("member", members(ResponseInputItemParam), ids=lambda member: member.__name__)
def test_every_field_of_an_item_of_the_newest_sdk_is_known(member: Any):
    for name in types_of(member):
        if name in ITEMS:
            known = {field.encode_name for field in msgspec.structs.fields(ITEMS[name])}
            assert get_type_hints(member).keys() <= known


def test_an_unknown_field_is_refused():
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(b'{"type":"compaction","encrypted_content":"x","mood":1}', type=ITEMS["compaction"])
