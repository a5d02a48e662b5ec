import json
from typing import Any

import msgspec
import pytest
from msgspec import Raw
from openai.types.responses import ResponseItem
from pydantic import TypeAdapter

from claude_proxy.dialects.responses.stored_items import (
    body_for_client,
    failed_body,
    is_background,
    item_for_client,
    stored_input,
    stored_item,
    with_output,
)

ITEM: TypeAdapter[Any] = TypeAdapter(ResponseItem)
ENCRYPTED = "reasoning.encrypted_content"


def raw(value: object) -> Raw:
    return Raw(json.dumps(value).encode())


SENT: list[dict[str, Any]] = [
    {"role": "user", "content": "Hi"},
    {"type": "message", "role": "assistant", "content": "Hello"},
    {"role": "assistant", "content": [{"type": "output_text", "text": "Hello"}]},
    {"role": "developer", "content": [{"type": "text", "text": "Be brief"}]},
    {"role": "user", "content": [{"type": "input_image", "image_url": "data:image/png;base64,AA=="}]},
    {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"},
    {"type": "function_call_output", "call_id": "c", "output": [{"type": "input_text", "text": "x"}]},
    {"type": "custom_tool_call", "call_id": "c", "name": "f", "input": "x", "id": None},
    {"type": "custom_tool_call_output", "call_id": "c", "output": "x"},
    {"type": "reasoning", "encrypted_content": "abc"},
    {"type": "local_shell_call", "call_id": "c", "action": {"type": "exec", "command": ["ls"], "env": {}}},
    {"type": "shell_call", "call_id": "c", "action": {"commands": ["ls"]}},
    {"type": "apply_patch_call_output", "call_id": "c", "output": "ok"},
    {"type": "compaction", "encrypted_content": "abc"},
]


@pytest.mark.parametrize("item", SENT, ids=lambda item: item.get("type", item.get("role")))
def test_every_item_becomes_one_that_openais_lists_can_hold(item: dict[str, Any]):
    stored = stored_item(raw(item), "abc")
    ITEM.validate_json(bytes(stored.json), strict=True)
    assert msgspec.json.decode(stored.json)["id"] == stored.id


def test_an_id_of_the_client_stays():
    assert stored_item(raw({"id": "msg_mine", "role": "user", "content": "Hi"}), "abc").id == "msg_mine"


@pytest.mark.parametrize("id_", [None, "", 5, {"a": 1}])
def test_what_is_no_id_is_replaced(id_: object):
    assert stored_item(raw({"id": id_, "role": "user", "content": "Hi"}), "abc").id == "msg_abc"


def test_a_text_as_input_is_one_message():
    (item,) = stored_input("Hi", "abc")
    assert msgspec.json.decode(item.json)["content"] == [{"type": "input_text", "text": "Hi"}]
    assert stored_input(None, "abc") == []


def test_the_ids_of_one_request_differ():
    items = stored_input([raw({"role": "user", "content": "Hi"})] * 3, "abc")
    assert len({item.id for item in items}) == 3


def test_signed_thinking_is_shown_where_it_is_asked_for():
    item = raw({"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "abc"})
    assert "encrypted_content" not in msgspec.json.decode(item_for_client(item, []))
    assert msgspec.json.decode(item_for_client(item, [ENCRYPTED]))["encrypted_content"] == "abc"


def test_a_compaction_keeps_its_content():
    item = raw({"type": "compaction", "id": "cmp_1", "encrypted_content": "abc"})
    assert msgspec.json.decode(item_for_client(item, []))["encrypted_content"] == "abc"


def test_a_body_is_shown_without_signed_thinking():
    reasoning = {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "abc"}
    body = with_output(b'{"id":"resp_1","output":[]}', [raw(reasoning)])
    assert msgspec.json.decode(body_for_client(body, []))["output"] == [
        {"type": "reasoning", "id": "rs_1", "summary": []}
    ]
    assert body_for_client(body, [ENCRYPTED]) == body


def test_a_body_without_an_end_becomes_a_failed_one():
    body = msgspec.json.decode(failed_body(b'{"id":"resp_1","status":"queued","error":null}', "it was cut"))
    assert body == {"id": "resp_1", "status": "failed", "error": {"code": "server_error", "message": "it was cut"}}


@pytest.mark.parametrize(
    ("body", "value"), [(b'{"background":true}', True), (b'{"background":false}', False), (b"{}", False)]
)
def test_a_body_says_whether_it_was_a_run(body: bytes, value: bool):
    assert is_background(body) is value
