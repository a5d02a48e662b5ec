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
