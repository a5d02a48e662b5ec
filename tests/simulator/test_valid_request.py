from typing import Any

import pytest

from claude_proxy.simulator.valid_request import (
    blocks,
    find_script,
    is_server_result,
    iter_blocks,
    last_user_message,
    texts,
    tool_names,
)

CALL = {"type": "tool_use", "id": "a", "name": "look", "input": {}}
RESULT = {"type": "tool_result", "tool_use_id": "a"}


def user(content: Any) -> dict[str, Any]:
    return {"role": "user", "content": content}


def assistant(*content: dict[str, Any]) -> dict[str, Any]:
    return {"role": "assistant", "content": list(content)}


def test_a_string_is_one_text_block():
    assert blocks(user("Hi")) == [{"type": "text", "text": "Hi"}]
    assert blocks(user("")) == blocks({}) == []


def test_only_text_blocks_are_text():
    assert texts(user([{"type": "text", "text": "a"}, RESULT, {"type": "text", "text": "b"}])) == "a\nb"


def test_results_of_server_tools_are_told_from_a_clients():
    assert is_server_result({"type": "web_search_tool_result"})
    assert not is_server_result(RESULT)


def test_the_script_is_in_the_last_user_message_with_text():
    start, call, result = user("script"), assistant(CALL), user([RESULT])
    assert find_script([start]) == ("script", 0)
    assert find_script([start, call, result]) == ("script", 1)
    assert find_script([start, call, call, result]) == ("script", 1)  # adjacent messages are one turn
    assert find_script([start, call, result, assistant(CALL), result]) == ("script", 2)
    assert find_script([start, call, user("another")]) == ("another", 0)
    assert find_script([result]) == ("", 0)


def test_blocks_are_found_with_their_indexes():
    messages = [user("Hi"), assistant({"type": "text", "text": "a"}, CALL)]
    assert [(number, index, block["type"]) for number, index, block in iter_blocks(messages)] == [
        (0, 0, "text"),
        (1, 0, "text"),
        (1, 1, "tool_use"),
    ]
    assert tool_names(messages) == {"a": "look"}
    assert last_user_message(messages) is messages[0]


@pytest.mark.parametrize(
    ("model", "thinking", "thinks"),
    [
        ("claude-opus-4-8", None, False),
        ("claude-opus-4-8", {"type": "adaptive"}, True),
        ("claude-opus-5", None, True),
        ("claude-opus-5", {"type": "disabled"}, False),
        ("claude-sonnet-5-5", {"type": "between_tools"}, False),
    ],
)
def test_thinking_is_on_by_request_or_by_the_models_default(asked, model, thinking, thinks):
    fields = {} if thinking is None else {"thinking": thinking}
    assert asked(model=model, **fields).accepted().thinks is thinks


@pytest.mark.parametrize(("choice", "forced"), [("auto", False), ("none", False), ("any", True)])
def test_a_choice_forces_a_tool(asked, choice, forced):
    tools = [{"name": "t", "input_schema": {"type": "object"}}]
    assert asked(tools=tools, tool_choice={"type": choice}).accepted().forces_tool is forced
    assert not asked().accepted().forces_tool
