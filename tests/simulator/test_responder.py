import pytest

from claude_proxy.simulator.api_error import ApiError
from claude_proxy.simulator.responder import compose

TOOLS = [
    {"name": "weather", "input_schema": {"type": "object", "properties": {"city": {}}, "required": ["city"]}},
    {"name": "clock", "input_schema": {"type": "object"}},
]
SEARCH = {"type": "web_search_20260318", "name": "web_search"}


@pytest.fixture
def answer(asked):
    """The answer to a script, or to whole messages."""

    def ask(script="", /, **fields):
        fields = {"messages": [{"role": "user", "content": script}]} | fields
        return compose(asked(**fields).accepted())

    return ask


def wholes(answer):
    return [block.whole for block in answer.blocks]


def content(answer):
    """Blocks as short as they can be told: text as text, calls as name and input, others by their type."""
    short = {
        "text": lambda block: block["text"],
        "tool_use": lambda block: (block["name"], block["input"]),
        "thinking": lambda block: ("thinking", block["thinking"]),
    }
    return [short.get(block["type"], lambda block: block["type"])(block) for block in wholes(answer)]


def test_without_a_script_the_message_is_echoed(answer):
    said = answer("Hello\nthere")
    assert content(said) == ["[simulated] You said: Hello\nthere"]
    assert said.stop_reason == "end_turn"


def test_an_echo_names_what_is_not_text_and_has_a_bound(answer):
    link = {"type": "image", "source": {"type": "url", "url": "https://example.com/a.png"}}
    messages = [{"role": "user", "content": [{"type": "text", "text": "Look"}, link]}]
    assert content(answer(messages=messages)) == ["[simulated] You said: Look\n(image)"]
    assert len(content(answer("long " * 1000, max_tokens=9000))[0]) == 2001


def test_a_message_without_text_has_no_script(answer):
    link = {"type": "image", "source": {"type": "url", "url": "https://example.com/a.png"}}
    assert content(answer(messages=[{"role": "user", "content": [link]}])) == ["[simulated] You said: (image)"]


def test_lines_are_blocks_in_their_order(answer):
    said = answer(
        'Do it\n/simulate text First\n/simulate tool weather {"city": "Oslo"}\n/simulate tool #2\n/simulate words 2',
        tools=TOOLS,
    )
    assert content(said) == ["First", ("weather", {"city": "Oslo"}), ("clock", {}), "word1 word2"]
    assert said.stop_reason == "tool_use"
    assert len({block["id"] for block in wholes(said)[1:3]}) == 2


def test_a_call_without_input_gets_one_from_the_schema(answer):
    assert content(answer("/simulate tool weather", tools=TOOLS)) == [("weather", {"city": "simulated"})]


def test_a_forced_choice_is_obeyed(answer):
    assert content(answer("Hi", tools=TOOLS, tool_choice={"type": "any"})) == [("weather", {"city": "simulated"})]
    assert content(answer("Hi", tools=TOOLS, tool_choice={"type": "tool", "name": "clock"})) == [("clock", {})]
    said = answer("/simulate text Well", tools=TOOLS, tool_choice={"type": "any"})
    assert content(said) == ["Well", ("weather", {"city": "simulated"})]


def test_a_forced_choice_of_toolsets_alone_has_nothing_to_call(answer):
    said = answer("Hi", tools=[{"type": "computer_toolset_20260801"}], tool_choice={"type": "any"})
    assert content(said) == []


def test_parallel_calls_can_be_forbidden(answer):
    choice = {"type": "auto", "disable_parallel_tool_use": True}
    said = answer("/simulate tool #1\n/simulate tool #2", tools=TOOLS, tool_choice=choice)
    assert content(said) == [("weather", {"city": "simulated"})]


def test_tool_results_are_quoted(answer):
    call = {"type": "tool_use", "id": "a", "name": "weather", "input": {}}
    results = [
        {"type": "tool_result", "tool_use_id": "a", "content": [{"type": "text", "text": "sunny"}]},
        {"type": "tool_result", "tool_use_id": "b", "content": "no such city", "is_error": True},
        {"type": "tool_result", "tool_use_id": "c"},
    ]
    messages = [
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": [call, call | {"id": "b"}, call | {"id": "c", "name": "clock"}]},
        {"role": "user", "content": results},
    ]
    assert content(answer(messages=messages, tools=TOOLS)) == [
        "[simulated] Tool results: weather -> sunny; weather -> error: no such city; clock -> (nothing)"
    ]


def test_a_script_goes_on_after_the_tool_results(answer):
    messages = [
        {"role": "user", "content": "/simulate tool clock\n/simulate next\n/simulate text It is noon"},
        {"role": "assistant", "content": [{"type": "tool_use", "id": "a", "name": "clock", "input": {}}]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "a", "content": "12:00"}]},
    ]
    assert content(answer(messages=messages, tools=TOOLS)) == ["It is noon"]


def test_structured_output_satisfies_its_schema(answer):
    schema = {
        "type": "object",
        "properties": {"n": {"type": "integer"}},
        "required": ["n"],
        "additionalProperties": False,
    }
    said = answer("Hi", output_config={"format": {"type": "json_schema", "schema": schema}})
    assert content(said) == ['{"n":0}']


@pytest.mark.parametrize(
    ("model", "thinking", "shown"),
    [
        ("claude-opus-5", None, ""),
        ("claude-opus-5", {"type": "adaptive", "display": "summarized"}, "[simulated] Thinking about: Hi"),
        ("claude-opus-4-6", {"type": "adaptive"}, "[simulated] Thinking about: Hi"),
        ("claude-opus-4-6", {"type": "adaptive", "display": "omitted"}, ""),
        ("claude-opus-4-5", {"type": "enabled", "budget_tokens": 1024}, "[simulated] Thinking about: Hi"),
    ],
)
def test_thinking_comes_first_and_as_visible_as_the_model_shows_it(answer, model, thinking, shown):
    said = answer("Hi", model=model, max_tokens=2000, thinking=thinking or ...)
    assert content(said) == [("thinking", shown), "[simulated] You said: Hi"]
    assert wholes(said)[0]["signature"]
    assert (said.thinking_tokens, said.output_tokens) == (4, 8)


@pytest.mark.parametrize("thinking", [..., {"type": "disabled"}])
def test_without_thinking_there_is_none(answer, thinking):
    assert content(answer("Hi", model="claude-opus-4-8", thinking=thinking)) == ["[simulated] You said: Hi"]


def test_thinking_can_be_scripted(answer):
    said = answer("/simulate redacted\n/simulate thinking Hm\n/simulate text Yes", model="claude-opus-5")
    assert content(said) == ["redacted_thinking", ("thinking", ""), "Yes"]


def test_a_forced_call_comes_without_thinking(answer):
    said = answer("Hi", model="claude-haiku-5-5", tools=TOOLS, tool_choice={"type": "any"})
    assert content(said) == [("weather", {"city": "simulated"})]


def test_a_search_is_a_call_and_its_results(answer):
    said = answer("/simulate web_search cats\n/simulate citation https://c.at | Cats | They purr.", tools=[SEARCH])
    call, found, cited = wholes(said)
    assert call["input"] == {"query": "cats"}
    assert found["tool_use_id"] == call["id"]
    assert cited["citations"][0]["url"] == "https://c.at"
    assert (said.searches, said.stop_reason) == (1, "end_turn")


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("/simulate stop model_context_window_exceeded", "model_context_window_exceeded"),
        ("/simulate text x\n/simulate pause", "pause_turn"),
        ("/simulate refusal", "refusal"),
        ("/simulate empty", "end_turn"),
    ],
)
def test_the_end_can_be_scripted(answer, script, reason):
    assert answer(script).stop_reason == reason


def test_a_refusal_has_details_and_no_content(answer):
    said = answer("/simulate refusal No.", model="claude-opus-5")
    assert content(said) == content(answer("/simulate empty", model="claude-opus-5")) == []
    assert said.stop_details == {"type": "refusal", "category": None, "explanation": "No."}


# ------------------------------------------------------------------------------------------------------ limits


@pytest.mark.parametrize(
    ("script", "limit", "expected"),
    [
        ("/simulate words 10", 3, ["word1 word2 word3"]),
        ("/simulate words 3", 3, ["word1 word2 word3"]),
        ("/simulate words 3\n/simulate text more", 3, ["word1 word2 word3"]),
        ('/simulate tool clock {"a": "one two three"}', 2, [("clock", {})]),
        ("/simulate words 1", 0, []),
    ],
)
def test_max_tokens_ends_the_answer(answer, script, limit, expected):
    said = answer(script, max_tokens=limit, tools=TOOLS)
    assert content(said) == expected
    cut = script != "/simulate words 3"
    assert said.stop_reason == ("max_tokens" if cut else "end_turn")
    assert said.output_tokens == limit


def test_what_is_cut_off_leaves_no_empty_block(answer):
    said = answer(
        "/simulate words 3\n/simulate text more\n/simulate tool clock\n/simulate thinking x\n/simulate redacted"
        "\n/simulate web_search y",
        max_tokens=3,
        tools=[*TOOLS, SEARCH],
        model="claude-opus-5",
    )
    assert content(said) == ["word1 word2 word3"]


def test_a_search_that_is_cut_off_finds_nothing(answer):
    said = answer("/simulate web_search one two three", tools=[SEARCH], max_tokens=2)
    assert [(block["type"], block["input"]) for block in wholes(said)] == [("server_tool_use", {})]
    assert (said.stop_reason, said.searches) == ("max_tokens", 0)


def test_thinking_counts_against_max_tokens(answer):
    said = answer("Hi there", model="claude-opus-5", max_tokens=2)
    assert [block["type"] for block in wholes(said)] == ["thinking"]
    assert (said.stop_reason, said.thinking_tokens) == ("max_tokens", 2)


@pytest.mark.parametrize(
    ("stops", "text", "sequence"),
    [
        (["three"], "one two ", "three"),
        (["four", "two"], "one ", "two"),
        (["nothing"], "one two three four", None),
        (["one"], None, "one"),
    ],
)
def test_a_stop_sequence_ends_the_answer(answer, stops, text, sequence):
    said = answer("/simulate text one two three four\n/simulate text more", stop_sequences=stops)
    assert content(said)[:1] == ([text] if text else [])
    assert said.stop_sequence == sequence
    assert said.stop_reason == ("stop_sequence" if sequence else "end_turn")


def test_a_limit_before_a_stop_sequence_wins(answer):
    said = answer("/simulate words 9", stop_sequences=["word8"], max_tokens=4)
    assert (said.stop_reason, said.stop_sequence) == ("max_tokens", None)


@pytest.mark.parametrize(
    ("script", "fields", "text"),
    [
        ("/simulate thinking x", {}, "`thinking` needs a request whose thinking is on"),
        ("/simulate redacted", {}, "`redacted` needs a request whose thinking is on"),
        ("/simulate tool x", {}, "the request has no tool `x`; its tools: none"),
        ("/simulate tool #3", {"tools": TOOLS}, "the request has no tool `#3`; its tools: weather, clock"),
        (
            "/simulate tool clock",
            {"tools": TOOLS, "tool_choice": {"type": "none"}},
            "tool_choice is none, no tool can be called",
        ),
        ("/simulate tool clock []", {"tools": TOOLS}, "the input of a tool is a JSON object"),
        ("/simulate tool clock {", {"tools": TOOLS}, "{ is not JSON: Input data was truncated"),
        ("/simulate citation https://x | y", {}, "`citation` needs URL | TITLE | TEXT"),
    ],
)
def test_a_script_cannot_do_what_a_model_could_not(answer, script, fields, text):
    with pytest.raises(ApiError) as caught:
        answer(script, **fields)
    assert caught.value.message == f"simulator: {text}"
