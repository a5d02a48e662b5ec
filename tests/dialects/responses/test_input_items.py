import json
from typing import Any

import pytest
from msgspec import Raw

from claude_proxy.dialects.responses.encrypted import SealedThinking, seal
from claude_proxy.dialects.responses.input_items import check_item, flat_name, referenced_id
from claude_proxy.errors import InvalidRequest
from claude_proxy.wire.anthropic import ThinkingBlock
from tests.dialects.responses.case import sent


def raw(item: object) -> Raw:
    return Raw(json.dumps(item).encode())


@pytest.mark.parametrize(
    ("item", "id_"),
    [
        ({"type": "item_reference", "id": "a"}, "a"),
        ({"id": "a"}, "a"),
        ({"role": "user", "content": "x", "id": "a"}, None),
        ({"type": "message", "id": "a"}, None),
        ({}, None),
        (5, None),
    ],
    ids=str,
)
def test_a_reference_names_an_id_and_may_lack_its_type(item: Any, id_: str | None):
    assert referenced_id(raw(item)) == id_


@pytest.mark.parametrize(
    ("item", "param"),
    [
        ({"role": "critic"}, "items[0].role"),
        ({"type": "hologram"}, "items[0].type"),
        ({"id": "a"}, "items[0]"),
        ({"type": "function_call"}, "items[0].call_id"),
    ],
    ids=str,
)
def test_an_item_that_cannot_be_kept_is_refused_with_its_place(item: Any, param: str):
    with pytest.raises(InvalidRequest) as refusal:
        check_item(raw(item), "items[0]")
    assert refusal.value.param == param


def test_items_that_are_left_out_can_be_kept():
    check_item(raw({"type": "web_search_call"}), "items[0]")
    check_item(raw({"role": "user", "content": "x", "mood": 1}), "items[0]")


def test_a_tool_of_a_namespace_has_both_names():
    assert (flat_name("read", "files"), flat_name("read", None)) == ("files__read", "read")


def test_the_retry_leaves_thinking_out():
    thinking = seal(SealedThinking("claude-opus-4-8", [ThinkingBlock("Hm.", "c2ln")]))
    call = {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"}
    output = {"type": "function_call_output", "call_id": "c", "output": "r"}
    given = [{"role": "user", "content": "x"}, {"type": "reasoning", "encrypted_content": thinking}, call, output]
    fields = {"input": given, "tools": [{"type": "function", "name": "f"}]}
    assert [block["type"] for block in sent(fields)["messages"][1]["content"]] == ["thinking", "tool_use"]
    retried = sent(fields, without_thinking=True)
    assert [block["type"] for block in retried["messages"][1]["content"]] == ["tool_use"]
