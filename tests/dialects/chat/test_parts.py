import json
from typing import Any

import pytest

from claude_proxy.errors import InvalidRequest
from tests.dialects.chat.case import sent, translated
from tests.dialects.chat.test_messages import calls, result, user

TEXT = {"type": "text", "text": "x"}
LINK = {"type": "image_url", "image_url": "https://example.org/a.png"}
IMAGE = {"type": "image", "source": {"type": "url", "url": "https://example.org/a.png"}}


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("text", "text"),
        ("", None),
        (" \n", None),
        (None, None),
        ([], None),
        ([{"type": "text", "text": ""}], None),
        ([TEXT, LINK], [TEXT, IMAGE]),
        ({"a": 1}, '{"a": 1}'),
        ([1, "b"], '[1, "b"]'),
        ([TEXT, {"type": "chart"}], '[{"type": "text", "text": "x"}, {"type": "chart"}]'),
        ([{"kind": "x"}], '[{"kind": "x"}]'),
        (0, "0"),
        (False, "false"),
        ("half \ud83d", "half \ufffd"),
        ({"a": "\ud83d"}, '{"a": "\\ufffd"}'),
    ],
)
def test_a_result_may_be_anything(content: Any, expected: Any):
    body = sent({"messages": [user(), calls("a"), result("a", content)]})
    (block,) = body["messages"][-1]["content"]
    assert block.get("content") == expected
    assert "is_error" not in block


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"cache_control": {"type": "ephemeral"}}, {"type": "ephemeral"}),
        ({"cache_control": {"type": "ephemeral", "ttl": "5m"}}, {"type": "ephemeral"}),
        ({"cache_control": {"type": "ephemeral", "ttl": "1h"}}, {"type": "ephemeral", "ttl": "1h"}),
        ({"prompt_cache_breakpoint": {"mode": "explicit"}}, {"type": "ephemeral"}),
        ({"prompt_cache_breakpoint": {"mode": "explicit", "ttl": "12h"}}, {"type": "ephemeral", "ttl": "1h"}),
        ({"prompt_cache_breakpoint": None, "cache_control": None}, None),
    ],
)
@pytest.mark.parametrize("part", [TEXT, LINK, {"type": "file", "file": {"file_data": "SGk="}}])
def test_a_breakpoint_of_either_kind_is_kept_on_its_part(part: Any, fields: Any, expected: Any):
    body = sent({"messages": [user([{**part, **fields}])]})
    assert body["messages"][0]["content"][0].get("cache_control") == expected


def test_a_result_that_is_nested_too_deeply_is_refused():
    content: Any = []
    for _ in range(600):
        content = [content]
    with pytest.raises(InvalidRequest) as refusal:
        sent({"messages": [user(), calls("a"), result("a", content)]})
    assert refusal.value.param == "messages[2].content"


def test_fields_that_only_the_tools_client_understands_are_dropped_from_its_parts():
    part = {**TEXT, "annotations": {"audience": ["user"]}, "_meta": {}}
    translation = translated({"messages": [user(), calls("a"), result("a", [part, LINK])]})
    assert json.loads(translation.body)["messages"][2]["content"][0]["content"] == [TEXT, IMAGE]
    assert translation.warnings == ()


def test_values_that_were_sent_as_json_are_noted():
    notes = translated({"messages": [user(), calls("a"), result("a", {"b": 1})]}).notes
    assert any(note.kind == "changed" and note.param == "messages[2].content" for note in notes)
