import json
from typing import Any

import msgspec
import pytest

from claude_proxy.errors import InvalidRequest
from claude_proxy.wire.responses_request import CacheOptions, read_known, read_responses_request


def read(**fields: Any) -> Any:
    return read_responses_request(json.dumps({"model": "m", **fields}).encode())


def test_the_fields_stay_as_the_client_wrote_them():
    request, fields, unknown = read_responses_request(b'{"model":"m", "metadata":{"b":"1",  "a":"2"}}')
    assert request.metadata == {"b": "1", "a": "2"}
    assert bytes(fields["metadata"]) == b'{"b":"1",  "a":"2"}'
    assert unknown == frozenset()


def test_unknown_fields_are_named_with_their_paths_and_null_is_absence():
    _, _, unknown = read(mystery=1, nothing=None, text={"format": {"type": "text", "kind": 1}})
    assert unknown == {"mystery", "text.format.kind"}


def test_a_conversation_is_an_id_or_an_object_with_one():
    assert read(conversation="conv_1")[0].conversation_id == "conv_1"
    assert read(conversation={"id": "conv_1"})[0].conversation_id == "conv_1"
    assert read()[0].conversation_id is None


@pytest.mark.parametrize(
    ("body", "param"),
    [
        (b"{", None),
        (b"[]", None),
        (b'{"model":"\xff"}', None),
        (b"{}", "model"),
        (b'{"model":"m","text":{"format":{}}}', "text.format.type"),
        (b'{"model":"m","reasoning":"high"}', "reasoning"),
        (b'{"model":"m","input":[' + b"[" * 600 + b"]" * 600 + b"]}", "input[0]"),
        (b'{"model":"m","tools":[' + b'{"a":' * 600 + b"1" + b"}" * 600 + b"]}", "tools[0]"),
    ],
)
def test_a_fault_is_refused_with_its_place(body: bytes, param: str | None):
    with pytest.raises(InvalidRequest) as refusal:
        read_responses_request(body)
    assert refusal.value.param == param


def test_a_part_of_the_request_is_read_with_its_path():
    read_part, unknown = read_known(CacheOptions, b'{"mode":"explicit","x":1}', "tools[2]")
    assert (read_part.mode, unknown) == ("explicit", ["tools[2].x"])


def test_lone_surrogates_are_replaced_also_in_the_fields():
    request, fields, _ = read_responses_request(b'{"model":"m","input":["\\ud83d"],"user":"\\udc00"}')
    assert (request.user, msgspec.json.decode(fields["input"])) == ("\ufffd", ["\ufffd"])
