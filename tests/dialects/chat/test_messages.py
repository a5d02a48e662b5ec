from typing import Any

import pytest

from claude_proxy.errors import InvalidRequest
from claude_proxy.options import Options
from tests.dialects.chat.case import sent, translated


def user(content: Any = "Hi") -> dict[str, Any]:
    return {"role": "user", "content": content}


def assistant(content: Any = None, **more: Any) -> dict[str, Any]:
    return {"role": "assistant", "content": content, **more}


def system(content: Any = "Now.") -> dict[str, Any]:
    return {"role": "system", "content": content}


def calls(*ids: str) -> dict[str, Any]:
    return assistant(
        tool_calls=[{"id": id_, "type": "function", "function": {"name": "f", "arguments": "{}"}} for id_ in ids]
    )


def result(id_: str, content: Any = "ok") -> dict[str, Any]:
    return {"role": "tool", "tool_call_id": id_, "content": content}


def shape(*messages: Any, model: str = "claude-opus-4-8") -> list[str]:
    """Each turn as its role and its texts and block types, `system` first."""
    body = sent({"model": model, "messages": list(messages)})
    turns = [{"role": "top", "content": body["system"]}] if "system" in body else []
    return [
        f"{turn['role']}: {' '.join(block.get('text', block['type']) for block in turn['content'])}"
        for turn in [*turns, *body["messages"]]
    ]


@pytest.mark.parametrize(
    ("messages", "expected"),
    [
        ([user(), system()], ["user: Hi", "system: Now."]),
        (
            [user(), system("A"), system("B"), assistant("x"), user()],
            ["user: Hi", "system: A B", "assistant: x", "user: Hi"],
        ),
        ([user(), system(), assistant(""), user("Ho")], ["top: Now.", "user: Hi Ho"]),
        ([user(), system("A"), system("B"), user("Ho")], ["top: A B", "user: Hi Ho"]),
        ([user(), assistant("x"), system(), user()], ["top: Now.", "user: Hi", "assistant: x", "user: Hi"]),
        ([system("S"), assistant("x"), system(), user()], ["top: S Now.", "user: .", "assistant: x", "user: Hi"]),
        (
            [user(), calls("a"), result("a"), system()],
            ["user: Hi", "assistant: tool_use", "user: tool_result", "system: Now."],
        ),
        (
            [user(), calls("a", "b"), result("a"), system()],
            ["top: Now.", "user: Hi", "assistant: tool_use tool_use", "user: tool_result tool_result"],
        ),
        ([user(), system(), result("ghost")], ["top: Now.", "user: Hi [tool result ghost] ok"]),
        ([user(), system("  ")], ["user: Hi"]),
    ],
)
def test_a_later_system_message_stands_only_where_upstream_takes_it(messages: list[Any], expected: list[str]):
    assert shape(*messages) == expected


@pytest.mark.parametrize(
    "model", ["claude-sonnet-5", "claude-sonnet-5-5", "claude-haiku-5-5", "claude-opus-4-7", "claude-opus-4-5"]
)
def test_models_that_do_not_honour_it_get_it_at_the_top_with_a_warning(model: str):
    assert shape(user(), system(), model=model) == ["top: Now.", "user: Hi"]
    assert translated({"model": model, "messages": [user(), system()]}).warnings == ("messages[1]",)


def test_a_warning_names_each_message_that_was_moved():
    messages = [user(), system("A"), system("B"), user("Ho")]
    assert translated({"messages": messages}).warnings == ("messages[1]", "messages[2]")


def test_a_breakpoint_on_a_later_system_message_is_kept_at_the_top():
    marked = [{"type": "text", "text": "A", "cache_control": {"type": "ephemeral"}}]
    body = sent({"model": "claude-sonnet-5", "messages": [user(), system(marked)]})
    assert body["system"] == marked


@pytest.mark.parametrize(
    ("messages", "expected"),
    [
        ([user("A"), user("B")], ["user: A B"]),
        ([user("")], ["user: ."]),
        ([user(None), assistant("x"), user([])], ["user: .", "assistant: x", "user: ."]),
        ([user(), assistant([]), assistant(" "), user("B")], ["user: Hi B"]),
        ([assistant("x"), user()], ["user: .", "assistant: x", "user: Hi"]),
        ([user(), assistant("x")], ["user: Hi", "assistant: x", "user: Continue."]),
        ([user(), assistant(None, refusal="No."), user()], ["user: Hi", "assistant: No.", "user: Hi"]),
        ([user([{"type": "refusal", "refusal": "r"}, {"type": "refusal", "refusal": ""}])], ["user: r"]),
        ([system("A"), system("B")], ["top: A", "user: B"]),
        ([system("A")], ["user: A"]),
        ([user(), calls("a"), assistant("x")], ["user: Hi", "assistant: tool_use x", "user: tool_result"]),
        (
            [user(), calls("a"), user("B"), assistant("x"), result("a")],
            ["user: Hi", "assistant: tool_use", "user: tool_result B", "assistant: x", "user: ."],
        ),
    ],
)
def test_turns_alternate_begin_with_the_user_and_are_never_blank(messages: list[Any], expected: list[str]):
    assert shape(*messages) == expected


@pytest.mark.parametrize(
    ("message", "param"),
    [
        (assistant(tool_calls=[{"id": "a"}]), "messages[1].tool_calls[0].function"),
        (
            assistant(tool_calls=[{"id": "a", "type": "function", "function": {}}]),
            "messages[1].tool_calls[0].function.name",
        ),
        (assistant([{"type": "image_url", "image_url": {"url": "x"}}]), "messages[1].content[0].type"),
        (result("a", [{"type": "image_url", "image_url": {"url": "ftp://x"}}]), "messages[1].content[0].image_url"),
        (result("a", [{"type": "text"}]), "messages[1].content[0].text"),
        ({"role": "function", "content": "x"}, "messages[1].name"),
    ],
)
def test_a_message_that_cannot_be_translated_is_refused_with_its_path(message: Any, param: str):
    with pytest.raises(InvalidRequest) as refusal:
        translated({"messages": [user(), message]})
    assert refusal.value.param == param


def test_an_earlier_audio_answer_is_left_out_with_a_warning():
    translation = translated({"messages": [user(), assistant("x", audio={"id": "a"}), user()]})
    assert translation.warnings == ("messages[1].audio",)


def test_thinking_of_the_second_of_two_merged_messages_is_left_out():
    blocks = [{"type": "thinking", "thinking": "t", "signature": "s"}]
    body = sent({"messages": [user(), assistant("x"), assistant("y", thinking_blocks=blocks), user()]})
    assert [block["type"] for block in body["messages"][1]["content"]] == ["text", "text"]


def test_redacted_thinking_in_the_content_goes_back():
    content = [{"type": "redacted_thinking", "data": "d"}, {"type": "redacted_thinking"}, {"type": "text", "text": "x"}]
    body = sent({"messages": [user(), assistant(content), user()]})
    assert body["messages"][1]["content"] == [{"type": "redacted_thinking", "data": "d"}, {"type": "text", "text": "x"}]


def test_a_prefill_that_ends_in_a_call_is_answered_and_not_continued():
    assert shape(user(), calls("a"), model="claude-sonnet-4-5")[-1] == "user: tool_result"


def test_a_prefill_is_answered_where_the_old_model_thinks():
    fields = {"model": "claude-sonnet-4-5", "messages": [user(), assistant("x ")], "reasoning_effort": "low"}
    assert sent(fields)["messages"][-1]["content"][0]["text"] == "Continue."


def test_an_error_of_a_tool_is_told():
    body = sent({"messages": [user(), calls("a"), {**result("a", "boom"), "is_error": True}]})
    assert body["messages"][-1]["content"][0]["is_error"] is True


def test_a_last_system_message_behind_a_call_stands_behind_the_result_that_was_put_in_its_place():
    assert shape(user(), calls("a"), system()) == ["user: Hi", "assistant: tool_use", "user: tool_result Now."]


def test_audio_is_left_out_and_the_rest_stays():
    part = {"type": "input_audio", "input_audio": {"data": "", "format": "wav"}}
    fields = {"messages": [user([part, {"type": "text", "text": "x"}])]}
    assert sent(fields)["messages"][0]["content"] == [{"type": "text", "text": "x"}]
    with pytest.raises(InvalidRequest) as refusal:
        translated(fields, options=Options(strict=True))
    assert refusal.value.param == "messages[0].content[0]"
