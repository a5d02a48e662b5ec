import json

import pytest
from msgspec import Raw

from claude_proxy.errors import InvalidRequest
from claude_proxy.translate.encoding import bound_prefix, counted, encode_request
from claude_proxy.wire.anthropic import Message, TextBlock, Tool
from tests.translate.middle import draft


def test_overrides_are_merged_last_and_cannot_stop_the_stream():
    made = draft()
    made.extra_fields["container"] = Raw(b'{"id":  1}')
    overrides = Raw(b'{"stream":false,"max_tokens":5,"container":{"more":2},"messages":null}')
    body = json.loads(encode_request(made, overrides))
    assert body == {"model": "claude-opus-4-8", "max_tokens": 5, "stream": True, "container": {"id": 1, "more": 2}}
    assert [note.param for note in made.notes] == ["anthropic"]


def test_overrides_may_hold_tools_that_run_upstream():
    made = draft()
    encode_request(made)
    assert not made.server_tools
    encode_request(made, Raw(b"{}"))
    assert made.server_tools


def test_overrides_that_are_not_an_object_are_refused_under_their_name():
    with pytest.raises(InvalidRequest) as refusal:
        encode_request(draft(), Raw(b"[1]"), param="x")
    assert refusal.value.param == "x"


def test_a_prefix_is_taken_only_where_thinking_is_bound_to_it():
    for model, bound in (("claude-opus-5-5", True), ("claude-opus-5", False)):
        made = draft(model)
        made.body.messages = [Message("user", [TextBlock("x")])]
        assert not bound_prefix(made)
        made.body.tools = [Tool("f", Raw(b"{}"))]
        assert bool(bound_prefix(made)) is bound


def test_a_request_for_a_count_has_only_the_fields_that_are_counted() -> None:
    assert counted(b'{"model":"m","max_tokens":5,"stream":true,"messages":[],"metadata":{}}') == (
        b'{"model":"m","messages":[]}'
    )
