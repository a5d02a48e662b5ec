from typing import Any

import msgspec
import pytest

from claude_proxy.dialects.chat.fold import CompletionFold
from claude_proxy.translate.memory import TEXT, RememberedTurn, ThinkingMemory, is_thinking
from claude_proxy.wire.anthropic import RedactedThinkingBlock, ThinkingBlock
from tests.dialects.chat.case import sent, translated

THINKING = {"type": "thinking", "thinking": "The sun.", "signature": "c2ln"}
REDACTED = {"type": "redacted_thinking", "data": "cmVk"}
TOOLS = [{"type": "function", "function": {"name": "look", "parameters": {"type": "object", "properties": {}}}}]
ASKED: dict[str, Any] = {
    "model": "claude-opus-5-5",
    "messages": [{"role": "system", "content": "S"}, {"role": "user", "content": "Weather?"}],
    "tools": TOOLS,
}
CALL = {"id": "toolu_1", "type": "function", "function": {"name": "look", "arguments": "{}"}}
TURN: list[dict[str, Any]] = [
    {"role": "assistant", "content": "I look.", "tool_calls": [CALL]},
    {"role": "tool", "tool_call_id": "toolu_1", "content": "sun"},
]


def event(type_: str, **fields: object) -> bytes:
    return b"data: %b\n\n" % msgspec.json.encode({"type": type_, **fields})


def answer(*blocks: dict[str, Any], stop_reason: str = "tool_use") -> bytes:
    """A stream of whole blocks."""
    data = event("message_start", message={"id": "msg_1", "model": "m", "usage": {}})
    for index, block in enumerate(blocks):
        data += event("content_block_start", index=index, content_block=block)
        data += event("content_block_stop", index=index)
    return data + event("message_delta", delta={"stop_reason": stop_reason}) + event("message_stop")


def use(id_: str = "toolu_1") -> dict[str, Any]:
    return {"type": "tool_use", "id": id_, "name": "look", "input": {}}


def text(words: str) -> dict[str, Any]:
    return {"type": "text", "text": words}


def remembering(memory: ThinkingMemory, asked: dict[str, Any], *blocks: dict[str, Any]) -> None:
    """Let `memory` hold the answer to `asked` that has `blocks`."""
    translation = translated(asked, memory=memory)
    fold = CompletionFold(translation.reply)
    fold.feed(answer(*blocks))
    fold.close()
    turn = fold.reader.remembered(translation.model.id, translation.prefix)
    if turn is not None:
        memory.remember(turn)


def replayed(asked: dict[str, Any], *more: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return {**asked, "messages": [*asked["messages"], *(more or TURN)], **changes}


def assistant(body: Any, number: int = 0) -> list[dict[str, Any]]:
    """The blocks of the assistant's turn with that number."""
    found: list[dict[str, Any]] = [m for m in body["messages"] if m["role"] == "assistant"][number]["content"]
    return found


@pytest.fixture
def memory() -> ThinkingMemory:
    return ThinkingMemory()


@pytest.mark.parametrize("model", ["claude-opus-5-5", "claude-opus-5", "claude-sonnet-4-5"])
def test_a_plain_client_gets_its_thinking_back_unchanged_and_first(memory: ThinkingMemory, model: str):
    asked = {**ASKED, "model": model, "reasoning_effort": "high"}
    remembering(memory, asked, THINKING, REDACTED, text("I look."), use())
    body = sent(replayed(asked), memory=memory)
    assert assistant(body) == [THINKING, REDACTED, text("I look."), use()]
    assert body["thinking"]["type"] in ("adaptive", "enabled")


def test_the_order_of_blocks_is_the_one_they_came_in(memory: ThinkingMemory):
    remembering(memory, ASKED, text("I look."), THINKING, use(), REDACTED, use("toolu_2"))
    calls = [CALL, {**CALL, "id": "toolu_2"}]
    body = sent(replayed(ASKED, {"role": "assistant", "content": "I look.", "tool_calls": calls}), memory=memory)
    assert assistant(body) == [text("I look."), THINKING, use(), REDACTED, use("toolu_2")]


def test_thinking_that_upstream_shows_no_text_of_is_kept_by_its_signature(memory: ThinkingMemory):
    hidden = {**THINKING, "thinking": ""}
    remembering(memory, ASKED, hidden, text("I look."), use())
    assert assistant(sent(replayed(ASKED), memory=memory))[0] == hidden


def test_several_turns_of_a_loop_are_put_back(memory: ThinkingMemory):
    remembering(memory, ASKED, THINKING, text("I look."), use())
    second = {**THINKING, "thinking": "Again."}
    remembering(memory, replayed(ASKED), second, use("toolu_2"))
    again = {"role": "assistant", "content": None, "tool_calls": [{**CALL, "id": "toolu_2"}]}
    body = sent(replayed(ASKED, *TURN, again), memory=memory)
    assert assistant(body, 0)[0] == THINKING
    assert assistant(body, 1) == [second, use("toolu_2")]


def test_moving_cache_breakpoints_change_no_prefix(memory: ThinkingMemory):
    remembering(memory, ASKED, THINKING, text("I look."), use())
    marked = [{"type": "text", "text": "S", "cache_control": {"type": "ephemeral", "ttl": "1h"}}]
    system = {"role": "system", "content": marked}
    body = sent({**replayed(ASKED), "messages": [system, *ASKED["messages"][1:], *TURN]}, memory=memory)
    assert assistant(body)[0] == THINKING


@pytest.mark.parametrize(
    "change",
    [
        {"model": "claude-fable-5-2"},
        {"tools": [*TOOLS, {"type": "function", "function": {"name": "more"}}]},
        {"messages": [{"role": "user", "content": "Something else?"}, *TURN]},
        {"verbosity": "low"},
    ],
    ids=["model", "tools", "messages", "system"],
)
def test_thinking_is_left_out_behind_another_prefix_or_for_another_model(
    memory: ThinkingMemory, change: dict[str, Any]
):
    remembering(memory, ASKED, THINKING, text("I look."), use())
    assert assistant(sent(replayed(ASKED, **change), memory=memory)) == [text("I look."), use()]


def test_a_model_that_does_not_bind_takes_it_behind_another_prefix(memory: ThinkingMemory):
    asked = {**ASKED, "model": "claude-opus-5"}
    remembering(memory, asked, THINKING, text("I look."), use())
    assert assistant(sent(replayed(asked, verbosity="low"), memory=memory))[0] == THINKING


@pytest.mark.parametrize(
    "message",
    [
        {"role": "assistant", "content": "I look.", "tool_calls": [CALL, {**CALL, "id": "toolu_9"}]},
        {"role": "assistant", "content": "I look.", "tool_calls": [{**CALL, "id": "toolu_9"}]},
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [CALL],
            "thinking_blocks": [{**THINKING, "thinking": "x"}],
        },
    ],
    ids=["another call", "other calls", "the client's own thinking"],
)
def test_a_turn_that_came_back_different_is_left_as_it_is(memory: ThinkingMemory, message: dict[str, Any]):
    remembering(memory, ASKED, THINKING, text("I look."), use())
    assert THINKING not in assistant(sent(replayed(ASKED, message), memory=memory))


def test_text_before_a_turn_that_had_none_was_merged_and_is_not_lost(memory: ThinkingMemory):
    remembering(memory, ASKED, THINKING, use())
    assert assistant(sent(replayed(ASKED), memory=memory)) == [text("I look."), use()]


def test_a_turn_with_several_texts_is_not_remembered_for_nobody_knows_where_they_ended(memory: ThinkingMemory):
    remembering(memory, ASKED, text("One."), THINKING, text("Two."), use())
    body = sent(replayed(ASKED, {"role": "assistant", "content": "One.\n\nTwo.", "tool_calls": [CALL]}), memory=memory)
    assert assistant(body) == [text("One.\n\nTwo."), use()]


SEARCH = {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {"query": "x"}}
FOUND = {"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": []}


def test_blocks_of_server_tools_go_back_whole(memory: ThinkingMemory):
    asked = {**ASKED, "web_search_options": {}}
    remembering(memory, asked, text("I look."), SEARCH, FOUND, use())
    assert assistant(sent(replayed(asked), memory=memory)) == [text("I look."), SEARCH, FOUND, use()]


def test_a_turn_that_was_merged_with_another_keeps_its_text_instead(memory: ThinkingMemory):
    asked = {**ASKED, "web_search_options": {}}
    remembering(memory, asked, text("I look."), SEARCH, FOUND, use())
    merged = [{"role": "assistant", "content": "The answer before."}, TURN[0]]
    assert assistant(sent(replayed(asked, *merged), memory=memory)) == [
        text("The answer before."),
        text("I look."),
        use(),
    ]


def test_a_budget_goes_on_behind_thinking_that_was_put_back_as_it_came(memory: ThinkingMemory):
    asked = {**ASKED, "model": "claude-sonnet-4-5", "web_search_options": {}, "reasoning_effort": "low"}
    remembering(memory, asked, THINKING, SEARCH, FOUND, use())
    body = sent(replayed(asked, {**TURN[0], "content": None}, TURN[1]), memory=memory)
    assert assistant(body)[0] == THINKING
    assert body["thinking"]["type"] == "enabled"


def test_an_answer_without_calls_or_without_thinking_is_not_remembered(memory: ThinkingMemory):
    for blocks in ([THINKING, text("So.")], [text("I look."), use()]):
        remembering(memory, ASKED, *blocks)
    assert memory.recall("toolu_1") is None
    memory.remember(RememberedTurn("m", b"", (TEXT,), ()))
    assert memory.recall("") is None


def test_the_retry_without_thinking_leaves_everybodys_out(memory: ThinkingMemory):
    remembering(memory, ASKED, THINKING, text("I look."), use())
    own = {"role": "assistant", "content": "Own.", "thinking_blocks": [THINKING]}
    asked = replayed(ASKED, *TURN, own, {"role": "user", "content": "And?"})
    body = sent(asked, memory=memory, without_thinking=True)
    assert assistant(body, 0) == [text("I look."), use()]
    assert assistant(body, 1) == [text("Own.")]


def test_the_memory_is_bounded_by_turns_and_the_least_used_goes_first():
    memory = ThinkingMemory(max_turns=2)
    for call in "abc":
        memory.remember(RememberedTurn("m", b"", (ThinkingBlock("t", "s"), call), (call,)))
        memory.recall("a")
    assert [memory.recall(call) is not None for call in "abc"] == [True, False, True]


def test_the_memory_is_bounded_by_bytes():
    turn = RememberedTurn("m", b"", (RedactedThinkingBlock("x" * 500), "a"), ("a",))
    memory = ThinkingMemory(max_bytes=2 * turn.size - 1)
    memory.remember(turn)
    memory.remember(turn)
    assert memory.recall("a") == turn
    memory.remember(RememberedTurn("m", b"", (RedactedThinkingBlock("x" * 500), "b"), ("b",)))
    assert memory.recall("a") is None
    memory.remember(RememberedTurn("m", b"", (RedactedThinkingBlock("x" * 2000), "c"), ("c",)))
    assert memory.recall("c") is None
    assert memory.recall("b") is not None


def test_thinking_is_known_in_every_form():
    assert is_thinking(ThinkingBlock("t", "s"))
    assert is_thinking(RedactedThinkingBlock("d"))
    assert is_thinking(msgspec.Raw(b'{"type":"thinking"}'))
    assert not is_thinking(msgspec.Raw(b'{"type":"server_tool_use"}'))
