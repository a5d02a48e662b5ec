import pytest

MARK = {"cache_control": {"type": "ephemeral"}}
LONG = {"cache_control": {"type": "ephemeral", "ttl": "1h"}}


def text(said="x", **more):
    return {"type": "text", "text": said} | more


def saying(*content):
    return [{"role": "user", "content": list(content)}]


ORDER = (
    "a ttl='1h' cache_control block must not come after a ttl='5m' cache_control block. "
    "Note that blocks are processed in the following order: `tools`, `system`, `messages`."
)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        (
            {"system": [text(**MARK)] * 2, "messages": saying(*[text(**MARK)] * 3)},
            "A maximum of 4 blocks with cache_control may be provided. Found 5.",
        ),
        (
            {"messages": saying(*[text(**MARK)] * 4), **MARK},
            "A maximum of 4 blocks with cache_control may be provided. Found 5.",
        ),
        (
            {"messages": saying(text("", **MARK))},
            "messages.0.content.0.cache_control: cache_control cannot be set for empty text blocks",
        ),
        (
            {"system": [text(**MARK)], "messages": saying(text(), text(**LONG))},
            f"messages.0.content.1.cache_control.ttl: {ORDER}",
        ),
        (
            {"messages": saying(text(**LONG)), **MARK},
            "Top-level cache_control has ttl='5m' but the target block already has cache_control with ttl='1h'",
        ),
    ],
)
def test_a_breakpoint_is_refused(asked, changes, why):
    assert asked(**changes).refused() == why


def test_breakpoints_everywhere_are_accepted(asked):
    asked(
        tools=[{"name": "t", "input_schema": {"type": "object"}} | LONG],
        system=[text(**LONG)],
        messages=[
            *saying(text("Hi")),
            {"role": "assistant", "content": [{"type": "tool_use", "id": "a", "name": "t", "input": {}}]},
            *saying({"type": "tool_result", "tool_use_id": "a", "content": [text("1", **MARK)]}),
        ],
        **MARK,
    ).accepted()
