import json

import pytest
from msgspec import Raw

from claude_proxy.dialects.responses.conversations import (
    checked_items,
    checked_metadata,
    conversation_object,
    deleted_object,
)
from claude_proxy.errors import InvalidRequest

USER = Raw(b'{"role":"user","content":"Hi"}')


def test_items_get_ids():
    assert [item.id for item in checked_items([USER, USER], "abc")] == ["msg_abci000", "msg_abci001"]
    assert checked_items(None, "abc") == []


def test_more_items_than_openai_takes_are_refused():
    checked_items([USER] * 20, "abc")
    with pytest.raises(InvalidRequest, match="maximum length 20"):
        checked_items([USER] * 21, "abc")


@pytest.mark.parametrize(
    ("metadata", "param"),
    [
        ({str(number): "" for number in range(17)}, "metadata"),
        ({"a" * 65: ""}, "metadata"),
        ({"a": "b" * 513}, "metadata.a"),
    ],
)
def test_metadata_has_openais_bounds(metadata: dict[str, str], param: str):
    with pytest.raises(InvalidRequest) as raised:
        checked_metadata(metadata)
    assert raised.value.param == param


def test_absent_metadata_is_an_empty_object():
    assert checked_metadata(None) == b"{}"


def test_the_objects_of_a_conversation():
    assert json.loads(conversation_object("conv_1", 5.9, b'{"a":"b"}')) == {
        "id": "conv_1",
        "object": "conversation",
        "created_at": 5,
        "metadata": {"a": "b"},
    }
    assert json.loads(deleted_object("conv_1")) == {"id": "conv_1", "object": "conversation.deleted", "deleted": True}
