import json

import pytest

from claude_proxy.simulator.composer import Composer, compact_json

TOOLS = [{"name": "t", "input_schema": {"type": "object"}}]


@pytest.fixture
def composer(asked):
    """Starts an answer to a minimal request with fields changed."""
    return lambda **fields: Composer(asked(**fields).accepted())


def streamed(block, field):
    return "".join(delta.value[field] for delta in block.deltas if field in delta.value)


def test_text_is_streamed_in_tokens_and_whole_in_a_message(composer):
    making = composer()
    making.add_text("one two three")
    [block] = making.answer.blocks
    assert [delta.value["text"] for delta in block.deltas] == ["one", " two", " three"]
    assert block.whole == {"type": "text", "text": "one two three"}
    assert making.answer.output_tokens == 3


def test_max_tokens_ends_an_answer(composer):
    making = composer(max_tokens=2)
    making.add_text("one two three")
    making.add_text("more")
    assert [block.whole["text"] for block in making.answer.blocks] == ["one two"]
    assert (making.answer.stop_reason, making.answer.output_tokens) == ("max_tokens", 2)


def test_no_tokens_at_all_end_it_before_it_starts(composer):
    making = composer(max_tokens=0)
    making.add_text("one")
    assert (making.answer.blocks, making.answer.stop_reason) == ([], "max_tokens")


def test_the_first_stop_sequence_ends_an_answer(composer):
    making = composer(stop_sequences=["three", "two"])
    making.add_text("one two three")
    assert making.answer.blocks[0].whole["text"] == "one "
    assert (making.answer.stop_reason, making.answer.stop_sequence) == ("stop_sequence", "two")


def test_a_tools_input_is_streamed_in_fragments(composer):
    making = composer(tools=TOOLS)
    making.add_tool_use("t", {"city": "Zürich"})
    [block] = making.answer.blocks
    assert block.deltas[0].value["partial_json"] == ""
    assert json.loads(streamed(block, "partial_json")) == block.whole["input"] == {"city": "Zürich"}
    assert (block.start["input"], making.answer.stop_reason) == ({}, "tool_use")


def test_a_cut_input_is_empty_in_a_message(composer):
    making = composer(tools=TOOLS, max_tokens=1)
    making.add_tool_use("t", {"a": "x" * 40})
    assert making.answer.blocks[0].whole["input"] == {}
    assert making.answer.stop_reason == "max_tokens"


def test_one_call_at_a_time_if_so_asked(composer):
    choice = {"type": "auto", "disable_parallel_tool_use": True}
    for fields, count in (({}, 2), ({"tool_choice": choice}, 1)):
        making = composer(tools=TOOLS, **fields)
        making.add_tool_use("t", {})
        making.add_tool_use("t", {})
        assert len({block.whole["id"] for block in making.answer.blocks}) == count


@pytest.mark.parametrize(("display", "shown"), [("summarized", "a thought"), ("omitted", "")])
def test_thinking_is_shown_or_omitted_and_counted_in_both_cases(composer, display, shown):
    making = composer(thinking={"type": "adaptive", "display": display})
    making.add_thinking("a thought")
    [block] = making.answer.blocks
    assert block.whole["thinking"] == streamed(block, "thinking") == shown
    assert block.whole["signature"] == streamed(block, "signature") != ""
    assert making.answer.thinking_tokens == 2


def test_a_web_search_has_a_call_and_results(composer):
    making = composer()
    making.add_web_search("weather")
    call, result = (block.whole for block in making.answer.blocks)
    assert call["input"] == {"query": "weather"}
    assert result["tool_use_id"] == call["id"]
    assert making.answer.searches == 1


def test_an_action_stands_between_blocks(composer):
    making = composer()
    making.add_text("a")
    making.add_action("error", "overloaded_error")
    found = making.answer.first("cut", "error")
    assert (found.action, found.text) == ("error", "overloaded_error")
    assert making.answer.first("cut") is None


def test_the_same_request_gets_the_same_ids(composer):
    assert composer().answer.id == composer(stream=True).answer.id != composer(max_tokens=7).answer.id


def test_json_is_compact():
    assert compact_json({"a": [1, "é"]}) == '{"a":[1,"é"]}'
