import json
from typing import Any

from tests.dialects.chat.case import CREATED
from tests.dialects.responses.case import OWN_ID, translated_body
from tests.support.messages_stream import block_start, block_stop, delta, message_end, message_start, text_block


def response(*blocks: bytes, stop: str = "end_turn", **fields: Any) -> Any:
    body = json.dumps({"model": "claude-opus-4-8", "input": "Hi", "tools": [{"type": "function", "name": "look"}]})
    fold = translated_body(json.dumps({**json.loads(body), **fields}).encode()).folded(id_=OWN_ID, created=CREATED)
    fold.feed(message_start() + b"".join(blocks) + message_end(stop))
    fold.close()
    return json.loads(fold.body())


def started(index: int, id_: str) -> bytes:
    return block_start(index, type="tool_use", id=id_, name="look", input={})


def part(index: int, text: str) -> bytes:
    return delta(index, type="input_json_delta", partial_json=text)


def test_calls_whose_blocks_are_interleaved_keep_their_arguments():
    calls = (started(0, "a"), started(1, "b"), part(0, '{"x"'), part(1, '{"y"'), part(0, ":1}"), part(1, ":2}"))
    output = response(*calls, block_stop(1), block_stop(0), stop="tool_use")["output"]
    assert [(item["call_id"], item["arguments"]) for item in output] == [("a", '{"x":1}'), ("b", '{"y":2}')]


def test_a_block_without_a_counterpart_gets_no_input_into_a_call_and_parts_two_messages():
    other = block_start(1, type="server_tool_use", id="s", name="code_execution", input={}) + part(1, "{}")
    output = response(text_block(0, "A"), other, block_stop(1), text_block(2, "B"))["output"]
    assert [item["content"][0]["text"] for item in output] == ["A", "B"]


def test_text_that_was_held_back_stands_before_the_call_behind_it():
    call = started(1, "a") + part(1, "{}") + block_stop(1)
    format_ = {"format": {"type": "json_object"}}
    output = response(text_block(0, "I look."), call, stop="tool_use", text=format_)["output"]
    assert [item["type"] for item in output] == ["message", "function_call"]


def test_a_block_that_was_never_ended_is_incomplete_like_the_reply():
    body = response(started(0, "a"), part(0, '{"x"'), stop="max_tokens")
    assert (body["status"], body["output"][0]["status"]) == ("incomplete", "incomplete")
