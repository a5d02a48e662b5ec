import pytest

TOOLS = [{"name": "t", "input_schema": {"type": "object"}}]
HI = {"role": "user", "content": "Hi"}


def user(*content):
    return {"role": "user", "content": list(content)}


def assistant(*content):
    return {"role": "assistant", "content": list(content)}


def text(said):
    return {"type": "text", "text": said}


def call(id_="a"):
    return {"type": "tool_use", "id": id_, "name": "t", "input": {}}


def result(id_="a", **more):
    return {"type": "tool_result", "tool_use_id": id_} | more


def search(id_="s"):
    return {"type": "server_tool_use", "id": id_, "name": "web_search", "input": {"query": "q"}}


def found(id_="s"):
    return {"type": "web_search_tool_result", "tool_use_id": id_, "content": []}


SYSTEM = {"role": "system", "content": "Be brief."}
UNANSWERED = (
    "messages.{}: `tool_use` ids were found without `tool_result` blocks immediately after: {}. "
    "Each `tool_use` block must have a corresponding `tool_result` block in the next message."
)
UNEXPECTED = (
    "messages.{}.content.{}: unexpected `tool_use_id` found in `tool_result` blocks: {}. Each `tool_result` block must "
    "have a corresponding `tool_use` block in the previous message."
)
PREFILL = "This model does not support assistant message prefill. The conversation must end with a user message."


@pytest.mark.parametrize(
    ("messages", "why"),
    [
        ([], "messages: at least one message is required"),
        ([assistant(text("Hi"))], 'messages: first message must use the "user" role'),
        ([user(text(""))], "messages: text content blocks must be non-empty"),
        ([user(text(" \n"))], "messages: text content blocks must contain non-whitespace text"),
        ([{"role": "user", "content": "\t"}], "messages: text content blocks must contain non-whitespace text"),
        (
            [HI, assistant(call()), user(result(content=[text("")]))],
            "messages: text content blocks must be non-empty",
        ),
        (
            [user()],
            "messages.0: all messages must have non-empty content except for the optional final assistant message",
        ),
        (
            [HI, {"role": "assistant", "content": ""}, HI],
            "messages.1: all messages must have non-empty content except for the optional final assistant message",
        ),
        ([user(call())], "messages.0: `tool_use` blocks can only be in `assistant` messages"),
        ([HI, assistant(result())], "messages.1: `tool_result` blocks can only be in `user` messages"),
        ([HI, assistant(call())], UNANSWERED.format(1, "a")),
        ([HI, assistant(call("a"), call("b")), user(result("a"))], UNANSWERED.format(1, "b")),
        ([HI, assistant(call()), user(text("wait"), result())], UNANSWERED.format(1, "a")),
        ([HI, assistant(call()), HI], UNANSWERED.format(1, "a")),
        ([user(result("x"))], UNEXPECTED.format(0, 0, "x")),
        ([HI, assistant(call()), user(result(), result("x"))], UNEXPECTED.format(2, 1, "x")),
        (
            [HI, assistant(call()), user(result()), assistant(text("ok")), user(text("and"), result())],
            UNEXPECTED.format(4, 1, "a"),
        ),
        (
            [HI, assistant(call()), user(result(), result())],
            (
                "messages.2.content.1: each tool_use must have a single result. "
                "Found multiple `tool_result` blocks with id: a"
            ),
        ),
        (
            [HI, assistant(call()), user(result()), assistant(call()), user(result())],
            "messages.3.content.0: `tool_use` ids must be unique",
        ),
        (
            [HI, assistant(found())],
            (
                "messages.1.content.0: unexpected `tool_use_id` found in `web_search_tool_result` blocks: s. Each "
                "`web_search_tool_result` block must have a corresponding `server_tool_use` block before it."
            ),
        ),
        (
            [HI, assistant(search()), HI],
            (
                "messages.1: `web_search` tool use with id `s` was found without a corresponding "
                "`web_search_tool_result` block"
            ),
        ),
        (
            [HI, assistant(search(), call()), user(result(), text("and?"))],
            "messages.2: only `tool_result` blocks may follow a turn with an unanswered server tool use",
        ),
        ([HI, assistant(text("Sure:"))], PREFILL),
        ([HI, assistant()], PREFILL),
        ([HI, SYSTEM, HI], "messages.1: role 'system' must be last or be followed by an assistant message"),
        (
            [HI, assistant(text("ok")), SYSTEM],
            "messages.2: role 'system' must directly follow a user message",
        ),
        ([SYSTEM, HI], 'messages: first message must use the "user" role'),
    ],
)
def test_a_conversation_is_refused(asked, messages, why):
    assert asked(messages=messages, tools=TOOLS).refused() == why


@pytest.mark.parametrize(
    "messages",
    [
        [HI, HI],
        [HI, assistant(text("ok"), call("a"), call("b")), user(result("b"), result("a"), text("go on"))],
        [HI, assistant(call("a")), assistant(call("b")), user(result("a")), user(result("b", content="2"))],
        [HI, assistant(call()), user(result(content=[text("yes")], is_error=True)), SYSTEM],
        [HI, SYSTEM, assistant(text("ok")), HI],
        [HI, assistant(search(), found(), text("ok")), HI],
        [HI, assistant(search())],
        [HI, assistant(search(), found())],
        [HI, assistant(search(), found()), SYSTEM],
        [HI, assistant(search(), call()), user(result())],
    ],
)
def test_a_conversation_is_accepted(asked, messages):
    asked(messages=messages, tools=TOOLS).accepted()


def test_system_blocks_must_have_text(asked):
    assert asked(system=[text("")]).refused() == "system: text content blocks must be non-empty"
    assert asked(system=[text(" ")]).refused() == "system: text content blocks must contain non-whitespace text"


def test_older_models_continue_a_prefill_that_ends_in_a_word(asked):
    asked(model="claude-opus-4-5", messages=[HI, assistant(text("Sure:"))]).accepted()
    asked(model="claude-opus-4-5", messages=[HI, {"role": "assistant", "content": ""}]).accepted()
    ragged = asked(model="claude-opus-4-5", messages=[HI, assistant(text("Sure: "))])
    assert ragged.refused() == "messages: final assistant content cannot end with trailing whitespace"


def test_a_prefill_does_not_go_with_thinking(asked):
    thinking = {"type": "enabled", "budget_tokens": 1024}
    prefilled = asked(
        model="claude-opus-4-5", max_tokens=2000, thinking=thinking, messages=[HI, assistant(text("Sure:"))]
    )
    assert prefilled.refused().startswith("When thinking is enabled, a final `assistant` message must start with")


def test_system_messages_depend_on_the_model(asked):
    refused = asked(model="claude-opus-4-7", messages=[HI, SYSTEM])
    assert refused.refused() == "role 'system' is not supported on this model"
    asked(model="claude-sonnet-5", messages=[HI, SYSTEM]).accepted()


CITED = text("x") | {
    "citations": [
        {"type": "web_search_result_location", "url": "u", "title": None, "cited_text": "x", "encrypted_index": "i"}
    ]
}
DOCUMENT = {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "x"}}


@pytest.mark.parametrize(
    ("messages", "why"),
    [
        ([user(CITED)], "messages.0.content.0.text.citations: Citations are not permitted in user messages"),
        (
            [user({"type": "search_result", "source": "s", "title": "t", "content": [CITED]})],
            "messages.0.content.0.search_result.citations: Citations are not permitted in user messages",
        ),
        ([HI, assistant(DOCUMENT), HI], "messages.1: `document` blocks can only be in `user` messages"),
    ],
)
def test_the_newer_version_refuses_more(asked, messages, why):
    asked(messages=messages).accepted()
    assert asked(messages=messages).refused(version="2026-10-21") == why
