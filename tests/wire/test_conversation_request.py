import pytest

from claude_proxy.errors import InvalidRequest
from claude_proxy.wire.conversation_request import ConversationCreate, ConversationUpdate, ItemsCreate, read_body


def test_an_empty_body_is_an_empty_conversation():
    assert read_body(b"", ConversationCreate) == ConversationCreate()


def test_null_metadata_is_not_absent_metadata():
    assert read_body(b'{"metadata":null}', ConversationUpdate).metadata is None
    with pytest.raises(InvalidRequest) as raised:
        read_body(b"{}", ConversationUpdate)
    assert raised.value.param == "metadata"


@pytest.mark.parametrize("body", [b"[]", b"{", b'{"items":5}', b'"\xff"', b"{}"])
def test_what_cannot_be_read_is_refused(body: bytes):
    with pytest.raises(InvalidRequest):
        read_body(body, ItemsCreate)


def test_lone_surrogates_are_repaired():
    assert bytes(read_body(rb'{"items":["\ud800"]}', ItemsCreate).items[0]) == rb'"\ufffd"'
