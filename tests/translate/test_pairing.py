from typing import Any

import pytest

from claude_proxy.translate.pairing import NO_RESULT
from tests.dialects.chat.case import sent, translated
from tests.dialects.chat.test_messages import assistant, calls, result, user


def paired(*messages: Any) -> list[tuple[str, Any]]:
    """The ids of the calls, and of the results with their content, in order."""
    body = sent({"messages": list(messages)})
    blocks = [block for message in body["messages"] for block in message["content"]]
    return [
        (block["id"], None) if block["type"] == "tool_use" else (block["tool_use_id"], block.get("content"))
        for block in blocks
        if block["type"] in ("tool_use", "tool_result")
    ]


@pytest.mark.parametrize(
    ("messages", "expected"),
    [
        ([calls("a", "b"), result("b", "2"), result("a", "1")], [("a", None), ("b", None), ("a", "1"), ("b", "2")]),
        ([calls("a"), result("a", "1"), result("a", "2")], [("a", None), ("a", "1")]),
        ([calls("a"), user(), result("a", "late")], [("a", None), ("a", "late")]),
        ([calls("a"), user()], [("a", None), ("a", NO_RESULT)]),
        ([result("a"), calls("a")], [("a", None), ("a", NO_RESULT)]),
        (
            [calls("a"), result("a", "1"), calls("a"), result("a", "2")],
            [("a", None), ("a", "1"), ("a_2", None), ("a_2", "2")],
        ),
        ([calls("a", "a"), result("a", "1")], [("a", None), ("a_2", None), ("a", "1"), ("a_2", NO_RESULT)]),
        (
            [calls("a", "a_2", "a"), result("a", "1"), result("a", "3")],
            [("a", None), ("a_2", None), ("a_3", None), ("a", "1"), ("a_2", NO_RESULT), ("a_3", "3")],
        ),
        ([calls(""), result("", "1")], [("call", None), ("call", "1")]),
        (
            [calls("a"), calls("b"), result("a", "1"), result("b", "2")],
            [("a", None), ("b", None), ("a", "1"), ("b", "2")],
        ),
    ],
)
def test_each_call_has_its_result_in_the_next_turn(messages: list[Any], expected: list[Any]):
    assert paired(user(), *messages, user()) == expected


def test_results_stand_before_the_text_of_their_turn():
    body = sent({"messages": [user(), calls("a"), user("B"), result("a"), user("C")]})
    kinds = [block["type"] for block in body["messages"][2]["content"]]
    assert kinds == ["tool_result", "text", "text"]


def test_an_orphan_is_told_as_text_each_time():
    translation = translated(
        {"messages": [result("a", "1"), result("a", [{"type": "text", "text": "2"}]), result("b", "")]}
    )
    assert b'"[tool result a]"' in translation.body
    assert translation.body.count(b"[tool result") == 3
    assert translation.warnings == ("messages[0]", "messages[1]", "messages[2]")


def test_results_of_the_older_functions_go_by_their_name():
    def older(name: str) -> dict[str, Any]:
        return assistant(function_call={"name": name, "arguments": ""})

    def answer(name: str, content: str) -> dict[str, Any]:
        return {"role": "function", "name": name, "content": content}

    assert paired(user(), older("f"), answer("f", "1"), older("f"), answer("f", "2"), answer("g", "3")) == [
        ("former_function_0", None),
        ("former_function_0", "1"),
        ("former_function_1", None),
        ("former_function_1", "2"),
    ]


def test_a_system_message_between_an_older_call_and_its_result_waits_at_the_top():
    messages = [user(), assistant(function_call={"name": "f"}), user(), {"role": "system", "content": "S"}]
    assert sent({"messages": messages})["system"][0]["text"] == "S"
