import pytest

HI = {"role": "user", "content": "Hi"}
OPEN = {"type": "object", "properties": {}}
CLOSED = OPEN | {"additionalProperties": False}


def tool(name="t", schema=OPEN, **more):
    return {"name": name, "input_schema": schema} | more


def strict(properties, **more):
    return tool(schema=CLOSED | {"properties": properties} | more, strict=True)


STRING = {"type": "string"}


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"tools": [tool(schema={})]}, "tools.0.custom.input_schema.type: Field required"),
        ({"tools": [tool(schema={"type": "array"})]}, "tools.0.custom.input_schema.type: Input should be 'object'"),
        (
            {"tools": [tool(schema={"anyOf": []})]},
            "tools.0.custom.input_schema: input_schema does not support oneOf, allOf, or anyOf at the top level",
        ),
        ({"tools": [tool(), tool()]}, "tools: Tool names must be unique."),
        (
            {
                "tools": [
                    {"type": "web_search_20260318", "name": "web_search"}
                    | {"allowed_domains": ["a"], "blocked_domains": ["b"]}
                ]
            },
            "tools.0: Only one of allowed_domains and blocked_domains may be specified",
        ),
        ({"tool_choice": {"type": "auto"}}, "tool_choice: tool_choice may only be specified while providing tools."),
        ({"tools": [tool()], "tool_choice": {"type": "tool", "name": "x"}}, "Tool 'x' not found in provided tools"),
        (
            {"model": "claude-opus-5-5", "tools": [tool()], "tool_choice": {"type": "any"}},
            "claude-opus-5-5 does not support forced tool_choice; use auto or none",
        ),
        (
            {
                "model": "claude-haiku-4-5",
                "max_tokens": 2000,
                "tools": [tool()],
                "tool_choice": {"type": "any"},
                "thinking": {"type": "enabled", "budget_tokens": 1024},
            },
            "Thinking may not be enabled when tool_choice forces tool use.",
        ),
        (
            {"tools": [tool(strict=True)]},
            "tools.0.custom: For 'object' type, 'additionalProperties' must be explicitly set to false",
        ),
        (
            {"tools": [tool(f"t{n}", CLOSED, strict=True) for n in range(21)]},
            (
                "Too many strict tools (21). The maximum number of strict tools supported is 20. "
                "Try reducing the number of tools marked as strict."
            ),
        ),
        (
            {"tools": [strict({f"p{n}": STRING for n in range(25)})]},
            (
                "Schemas contains too many optional parameters (25), which would make grammar compilation inefficient. "
                "Reduce the number of optional parameters in your tool schemas (limit: 24)."
            ),
        ),
        (
            {
                "tools": [
                    strict({f"p{n}": {"anyOf": [STRING]} for n in range(17)}, required=[f"p{n}" for n in range(17)])
                ]
            },
            (
                "Schemas contains too many parameters with union types (17 parameters with type arrays or anyOf). "
                "This causes exponential compilation cost. Reduce the number of nullable or union-typed parameters "
                "(limit: 16 parameters with unions)."
            ),
        ),
        (
            {
                "messages": [
                    HI,
                    {"role": "assistant", "content": [{"type": "tool_use", "id": "a", "name": "t", "input": {}}]},
                    {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "a"}]},
                ]
            },
            "tools: Requests which use `tool_use` or `tool_result` blocks must define tools",
        ),
    ],
)
def test_a_tool_is_refused(asked, changes, text):
    assert asked(**changes).refused() == text


@pytest.mark.parametrize(
    "broken",
    [
        {"properties": {"a": {"type": "text"}}},
        {"properties": []},
        {"required": "a"},
        {"properties": {"a": {"anyOf": {}}}},
        {"properties": {"a": 5}},
        {"properties": {"a": {"type": "array", "items": []}}},
    ],
)
def test_what_is_no_json_schema_is_refused(asked, broken):
    text = asked(tools=[tool(schema=OPEN | broken)]).refused()
    assert text.startswith(
        "tools.0.custom.input_schema: JSON schema is invalid. It must match JSON Schema draft 2020-12"
    )


def test_tools_of_every_kind_are_accepted(asked):
    asked(
        tools=[
            tool(description="does things", type="custom", input_examples=[{}], cache_control={"type": "ephemeral"}),
            strict({"a": STRING}) | {"name": "s"},
            {"type": "web_search_20260318", "name": "web_search", "allowed_callers": ["direct"], "max_uses": 5},
            {"type": "bash_20250124", "name": "bash"},
            {"type": "computer_toolset_20260801"},
        ],
        tool_choice={"type": "any", "disable_parallel_tool_use": True},
    ).accepted()


@pytest.mark.parametrize("model", ["claude-opus-4-6", "claude-opus-4-8", "claude-sonnet-5", "claude-haiku-5-5"])
@pytest.mark.parametrize("choice", [{"type": "any"}, {"type": "tool", "name": "t"}])
def test_a_forced_tool_is_refused_beside_adaptive_thinking(asked, model, choice):
    question = asked(model=model, tools=[tool()], tool_choice=choice, thinking={"type": "adaptive"})
    assert question.refused() == "Thinking may not be enabled when tool_choice forces tool use."
    question.body["thinking"] = {"type": "disabled"}
    question.accepted()
    del question.body["thinking"]
    question.accepted()


def test_a_version_of_the_api_accepts_a_forced_tool_beside_adaptive_thinking(asked):
    question = asked(model="claude-opus-5", tools=[tool()], tool_choice={"type": "any"}, thinking={"type": "adaptive"})
    question.accepted(adaptive_with_forced_tool=True)
    question.body |= {"model": "claude-opus-4-6", "max_tokens": 2000}
    question.body["thinking"] = {"type": "enabled", "budget_tokens": 1024}
    assert question.refused(adaptive_with_forced_tool=True).startswith("Thinking may not be enabled")


@pytest.mark.parametrize("way", ["regex", "bm25"])
def test_tool_search_is_known_by_its_dated_and_undated_type(asked, way):
    for type_ in (f"tool_search_tool_{way}", f"tool_search_tool_{way}_20251119"):
        search = {"type": type_, "name": f"tool_search_tool_{way}"}
        asked(tools=[search, tool(defer_loading=True)]).accepted()
        text = asked(tools=[search | {"name": "search"}]).refused()
        assert text == f"tools.0.{type_}.name: Input should be 'tool_search_tool_{way}'"


def test_one_tool_must_not_be_deferred(asked):
    text = asked(tools=[tool(defer_loading=True)]).refused()
    assert text == "All tools have defer_loading set. At least one tool must be non-deferred."


def test_a_tool_reference_names_a_tool_of_the_request(asked):
    content = [{"type": "tool_reference", "tool_name": "t"}]
    history = [
        HI,
        {"role": "assistant", "content": [{"type": "tool_use", "id": "a", "name": "t", "input": {}}]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "a", "content": content}]},
    ]
    asked(tools=[tool()], messages=history).accepted()
    text = asked(tools=[tool("other")], messages=history).refused()
    assert text == "Tool reference 't' has no corresponding tool definition"
