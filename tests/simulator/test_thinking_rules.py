import msgspec
import pytest

from claude_proxy.simulator.model_table import EFFORTS, MODELS
from claude_proxy.simulator.responder import compose

HI = {"role": "user", "content": "Hi"}
TOOLS = [{"name": "t", "input_schema": {"type": "object"}}]
BINDING_BETA = "thinking-binding-controls-2026-08-01"
MODIFIED = (
    "`thinking` or `redacted_thinking` blocks in the latest assistant message cannot be modified. "
    "These blocks must remain as they were in the original response."
)
BOUND = (
    "messages.1.content.0: Invalid `signature` in `thinking` block. The block is bound to a different conversation. "
    'Remove the block, or set `thinking.block_binding.prefix_mismatch_behavior` to "drop_block". That setting requires '
    "the `thinking-binding-controls-2026-08-01` value in the `anthropic-beta` header."
)


@pytest.mark.parametrize(
    ("model", "kind", "text"),
    [
        (
            "claude-opus-4-7",
            "enabled",
            (
                '"thinking.type.enabled" is not supported for this model. Use "thinking.type.adaptive" and '
                '"output_config.effort" to control thinking behavior.'
            ),
        ),
        ("claude-haiku-4-5", "adaptive", "adaptive thinking is not supported on this model"),
        (
            "claude-fable-5",
            "disabled",
            (
                '"thinking.type.disabled" is not supported for this model. Thinking defaults to adaptive mode when not '
                'specified; use "thinking.type.enabled" with "budget_tokens" for extended thinking.'
            ),
        ),
        ("claude-opus-5", "between_tools", '"thinking.type.between_tools" is not supported for this model.'),
    ],
)
def test_a_kind_of_thinking_is_refused(asked, model, kind, text):
    thinking = {"type": kind} | ({"budget_tokens": 1024} if kind == "enabled" else {})
    assert asked(model=model, max_tokens=2000, thinking=thinking).refused() == text


@pytest.mark.parametrize(
    "model", [model for model in MODELS if model.lifecycle != "retired"], ids=lambda model: model.id
)
def test_every_model_takes_what_its_row_says(asked, model):
    for kind in model.thinking:
        thinking = {"type": kind} | ({"budget_tokens": 1024} if kind == "enabled" else {})
        asked(model=model.id, max_tokens=2000, thinking=thinking).accepted()
    for effort in EFFORTS:
        question = asked(model=model.id, output_config={"effort": effort})
        if effort in model.efforts:
            question.accepted()
        else:
            assert "does not support" in question.refused()


def test_a_budget_is_smaller_than_max_tokens(asked):
    thinking = {"type": "enabled", "budget_tokens": 1024}
    assert (
        asked(model="claude-opus-4-5", max_tokens=1024, thinking=thinking)
        .refused()
        .startswith("`max_tokens` must be greater than `thinking.budget_tokens`.")
    )


@pytest.mark.parametrize(
    ("model", "changes", "text"),
    [
        ("claude-haiku-4-5", {"effort": "low"}, "This model does not support the effort parameter."),
        (
            "claude-opus-4-6",
            {"effort": "xhigh"},
            "This model does not support effort level 'xhigh'. Supported levels: high, low, max, medium.",
        ),
    ],
)
def test_an_effort_is_refused(asked, model, changes, text):
    assert asked(model=model, output_config=changes).refused() == text


def test_without_thinking_effort_stops_at_high(asked):
    question = {"model": "claude-opus-5", "thinking": {"type": "disabled"}}
    asked(**question, output_config={"effort": "high"}).accepted()
    assert asked(**question, output_config={"effort": "max"}).refused() == (
        "output_config.effort 'max' is not supported when thinking is disabled on this model. "
        "Use effort 'high' or below, or enable thinking."
    )


def test_with_a_budget_the_turn_of_the_tools_starts_with_thinking(asked):
    question = {
        "model": "claude-opus-4-5",
        "max_tokens": 2000,
        "tools": TOOLS,
        "messages": [
            HI,
            {"role": "assistant", "content": [{"type": "tool_use", "id": "a", "name": "t", "input": {}}]},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "a"}]},
        ],
    }
    asked(**question).accepted()
    assert (
        asked(**question, thinking={"type": "enabled", "budget_tokens": 1024})
        .refused()
        .startswith(
            "messages.1.content.0.type: Expected `thinking` or `redacted_thinking`, but found `tool_use`. "
            "When `thinking` is enabled, a final `assistant` message must start with a thinking block"
        )
    )


def test_with_a_budget_the_simulators_own_turn_is_continued(conversation):
    thinking = {"type": "enabled", "budget_tokens": 1024}
    question, content = conversation("claude-opus-4-5", thinking=thinking, max_tokens=2000)
    assert [block["type"] for block in content] == ["thinking", "tool_use"]
    question.accepted()


# ------------------------------------------------------------------------------------------ blocks that come back


@pytest.fixture
def conversation(asked):
    """A request whose history holds the simulator's own answer, thinking first; and that answer's content."""

    def start(model="claude-opus-5-5", script="/simulate tool t", **fields):
        first = {"model": model, "tools": TOOLS, "messages": [{"role": "user", "content": f"Hi\n{script}"}], **fields}
        answer = compose(asked(**first).accepted())
        content = msgspec.json.decode(msgspec.json.encode([block.whole for block in answer.blocks]))
        results = [
            {"type": "tool_result", "tool_use_id": block["id"]} for block in content if block["type"] == "tool_use"
        ]
        follow = results or [{"type": "text", "text": "And?"}]
        history = [*first["messages"], {"role": "assistant", "content": content}, {"role": "user", "content": follow}]
        return asked(**(first | {"messages": history})), content

    return start


@pytest.mark.parametrize("model", ["claude-opus-5-5", "claude-opus-5", "claude-fable-5-2", "claude-haiku-5-5"])
@pytest.mark.parametrize("script", ["/simulate tool t", "/simulate redacted\n/simulate thinking hm\n/simulate text x"])
def test_an_answer_may_come_back_as_it_was(conversation, model, script):
    question, content = conversation(model, script)
    assert "thinking" in content[0]["type"]
    question.accepted()
    del content[0]  # and so may one without its thinking
    question.accepted()


def test_changed_thinking_is_refused(conversation):
    question, content = conversation()
    content[0]["thinking"] = "Something else"
    assert question.refused() == f"messages.1.content.0: {MODIFIED}"
    question.body["messages"] += [{"role": "assistant", "content": "ok"}, HI]
    assert question.refused() == "messages.1.content.0: Invalid `signature` in `thinking` block"


def test_thinking_that_opened_its_message_must_open_it_again(conversation):
    question, content = conversation(script="/simulate text first\n/simulate tool t")
    content.insert(1, content.pop(0))
    assert question.refused() == f"messages.1.content.1: {MODIFIED}"


@pytest.mark.parametrize("signature", ["", "c2ln", "not base64!", "c2ltdWxhdGVkIHRoaW5raW5nAAAA"])
def test_a_foreign_signature_is_refused(conversation, signature):
    question, content = conversation()
    content[0]["signature"] = signature
    assert question.refused() == "messages.1.content.0: Invalid `signature` in `thinking` block"


def test_foreign_redacted_thinking_is_refused(conversation):
    question, content = conversation()
    content[0] = {"type": "redacted_thinking", "data": "foreign"}
    assert question.refused() == "messages.1.content.0: Invalid `data` in `redacted_thinking` block"


def test_thinking_of_another_model_is_refused(conversation):
    question, _ = conversation("claude-opus-5")
    question.body["model"] = "claude-fable-5"
    assert question.refused() == "messages.1.content.0: Invalid `signature` in `thinking` block"


@pytest.mark.parametrize("change", [{"system": "Be brief."}, {"tools": [TOOLS[0] | {"description": "new"}]}])
def test_some_models_bind_thinking_to_the_conversation(conversation, change):
    question, _ = conversation("claude-opus-5-5")
    question.body |= change
    assert question.refused() == BOUND
    free, _ = conversation("claude-opus-5")
    free.body |= change
    free.accepted()


def test_bound_thinking_can_be_dropped_instead(conversation):
    question, content = conversation()
    question.body |= {
        "system": "Be brief.",
        "thinking": {"type": "adaptive", "block_binding": {"prefix_mismatch_behavior": "drop_block"}},
    }
    request = question.accepted(BINDING_BETA)
    assert request.dropped == [
        {"type": "thinking_dropped", "path": "messages.1.content.0", "reason": "prefix_binding_mismatch"}
    ]
    assert request.messages[1]["content"] == content[1:]


def test_cache_control_and_the_spelling_of_text_do_not_break_the_binding(conversation):
    question, _ = conversation()
    first = question.body["messages"][0]
    first["content"] = [{"type": "text", "text": first["content"], "cache_control": {"type": "ephemeral"}}]
    question.accepted()
