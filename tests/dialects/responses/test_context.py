from claude_proxy.dialects.responses.context import ResponseContext, ToolForm


def test_a_tool_is_a_function_unless_it_says_otherwise():
    assert ToolForm() == ToolForm("function", "", None)
    context = ResponseContext(model="m", upstream_model="m")
    assert (context.tools.get("look"), context.include_encrypted_reasoning, dict(context.echo)) == (None, False, {})
