from collections.abc import Callable
from typing import Any

import pytest
from msgspec import Raw

from claude_proxy.errors import InvalidRequest
from claude_proxy.translate.conversation import CONTINUE, Conversation, end_with_user
from claude_proxy.translate.draft import Draft
from claude_proxy.wire.anthropic import TextBlock, Thinking, ThinkingBlock
from tests.translate.middle import as_json, draft, warnings


def built(build: Callable[[Conversation], None], model: str = "claude-opus-4-8") -> Draft:
    made = draft(model)
    conversation = Conversation(made, param="input")
    build(conversation)
    conversation.finish()
    return made


def turns(made: Draft) -> list[str]:
    """Each turn as its role and its texts and block types."""
    return [
        f"{turn['role']}: {' '.join(block.get('text', block['type']) for block in turn['content'])}"
        for turn in as_json(made.body.messages)
    ]


def text(words: str) -> list[TextBlock]:
    return [TextBlock(words)]


def test_messages_of_one_role_are_one_turn():
    def build(conversation: Conversation) -> None:
        conversation.add_system(text("S"), param="instructions")
        conversation.add_user(text("A"))
        conversation.add_user(text("B"))
        conversation.add_assistant(text("C"))
        conversation.add_user(text("D"))

    made = built(build)
    assert turns(made) == ["user: A B", "assistant: C", "user: D"]
    assert as_json(made.body.system) == [{"type": "text", "text": "S"}]


def test_results_stand_first_in_the_turn_after_their_calls_in_the_calls_order():
    def build(conversation: Conversation) -> None:
        conversation.add_user(text("A"))
        calls = [conversation.call(id_, "f", Raw(b"{}")) for id_ in ("x", "y")]
        conversation.add_assistant(calls)
        conversation.add_user(text("B"))
        conversation.add_result("y", "2", param="input[3]")
        conversation.add_result("x", "1", param="input[4]")

    made = built(build)
    assert turns(made) == ["user: A", "assistant: tool_use tool_use", "user: tool_result tool_result B"]
    results = as_json(made.body.messages[2])["content"][:2]
    assert [block["tool_use_id"] for block in results] == ["x", "y"]


def test_a_name_in_the_history_is_the_one_that_its_tool_gets():
    made = draft()
    call = Conversation(made, param="input").call("x", "a.b", Raw(b"{}"))
    assert made.tool_names == {"a.b": call.name}


def test_a_result_without_its_call_is_sent_as_text_under_its_path():
    made = built(lambda conversation: conversation.add_result("ghost", "late", param="input[7]"))
    assert turns(made) == ["user: [tool result ghost] late"]
    assert [param for param, _ in warnings(made)] == ["input[7]"]


def test_a_second_result_is_left_out():
    def build(conversation: Conversation) -> None:
        conversation.add_user(text("A"))
        conversation.add_assistant([conversation.call("x", "f", Raw(b"{}"))])
        conversation.add_result("x", "1", param="input[2]")
        conversation.add_result("x", "2", param="input[3]")

    made = built(build)
    assert turns(made)[-1] == "user: tool_result"
    assert [param for param, _ in warnings(made)] == ["input[3]"]


def test_a_call_without_an_id_is_answered_by_its_name():
    def build(conversation: Conversation) -> None:
        conversation.add_user(text("A"))
        conversation.add_assistant([conversation.call_without_id("f", Raw(b"{}"))])
        conversation.add_result_by_name("f", "1", param="messages[2]")
        conversation.add_result_by_name("f", "2", param="messages[3]")

    made = built(build)
    assert turns(made)[-1] == "user: tool_result [tool result f] 2"


def test_thinking_goes_first_in_its_turn_and_nowhere_else():
    def build(conversation: Conversation) -> None:
        conversation.add_user(text("A"))
        conversation.add_assistant(text("B"), thinking=[ThinkingBlock("t", "s")])
        conversation.add_assistant(text("C"), thinking=[ThinkingBlock("u", "s")])

    assert turns(built(build))[-1] == "assistant: thinking B C"


def test_thinking_alone_makes_no_turn():
    def build(conversation: Conversation) -> None:
        conversation.add_user(text("A"))
        conversation.add_assistant([], thinking=[ThinkingBlock("t", "s")])

    assert turns(built(build)) == ["user: A"]


def test_what_concerns_the_whole_history_is_noted_under_its_dialects_name():
    def build(conversation: Conversation) -> None:
        conversation.add_user(text("A"))
        conversation.add_assistant([conversation.call("x.1", "f", Raw(b"{}"))])

    assert {note.param for note in built(build).notes} == {"input"}


def test_a_conversation_without_any_content_is_refused():
    with pytest.raises(InvalidRequest) as refusal:
        built(lambda conversation: None)
    assert refusal.value.param == "input"


@pytest.mark.parametrize(
    ("model", "thinking", "expected"),
    [
        ("claude-sonnet-4-5", None, ["user: A", "assistant: B"]),
        ("claude-sonnet-4-5", Thinking("enabled", budget_tokens=1024), ["user: A", "assistant: B ", "user: Continue."]),
        ("claude-opus-4-8", None, ["user: A", "assistant: B ", "user: Continue."]),
    ],
)
def test_a_last_assistant_turn_is_continued_or_answered(model: str, thinking: Any, expected: list[str]):
    def build(conversation: Conversation) -> None:
        conversation.add_user(text("A"))
        conversation.add_assistant(text("B "))

    made = built(build, model)
    made.body.thinking = thinking
    end_with_user(made, param="input")
    assert turns(made) == expected
    assert [param for param, _ in warnings(made)] == ["input"] * (expected[-1] == f"user: {CONTINUE}")
