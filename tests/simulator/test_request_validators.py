"""Fields that are missing, unknown or of the wrong type, in the words of the real API."""

import pytest

HI = {"role": "user", "content": "Hi"}
TOOL = {"name": "t", "input_schema": {"type": "object"}}
SERVER = {"type": "url", "name": "s", "url": "https://example.com/mcp"}


def said(*content):
    return {"messages": [{"role": "user", "content": list(content)}]}


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"model": ...}, "model: Field required"),
        ({"messages": ...}, "messages: Field required"),
        ({"max_tokens": ...}, "max_tokens: Field required"),
        ({"model": 5}, "model: Input should be a valid string"),
        ({"model": ""}, "model: String should have at least 1 character"),
        ({"max_tokens": "5"}, "max_tokens: Input should be a valid integer"),
        ({"max_tokens": True}, "max_tokens: Input should be a valid integer"),
        ({"max_tokens": 1.5}, "max_tokens: Input should be a valid integer"),
        ({"max_tokens": -1}, "max_tokens: Input should be greater than or equal to 0"),
        ({"messages": {}}, "messages: Input should be a valid list"),
        ({"messages": ["Hi"]}, "messages.0: Input should be an object"),
        ({"messages": [{"content": "Hi"}]}, "messages.0.role: Field required"),
        ({"messages": [{"role": "user"}]}, "messages.0.content: Field required"),
        ({"messages": [HI | {"name": "Bob"}]}, "messages.0.name: Extra inputs are not permitted"),
        (
            {"messages": [{"role": "tool", "content": "Hi"}]},
            'messages: Unexpected role "tool". Allowed roles are "user" or "assistant"',
        ),
        (
            {"messages": [{"role": {}, "content": "Hi"}]},
            'messages: Unexpected role "{}". Allowed roles are "user" or "assistant"',
        ),
        ({"thinking": {"type": []}}, "thinking.type: Field required"),
        ({"n": 2}, "n: Extra inputs are not permitted"),
        ({"system": None}, "system: Input should be a valid list"),
        ({"system": [{"type": "text"}]}, "system.0.text.text: Field required"),
        ({"stream": 1}, "stream: Input should be a valid boolean"),
        ({"stop_sequences": "x"}, "stop_sequences: Input should be a valid list"),
        ({"stop_sequences": [1]}, "stop_sequences.0: Input should be a valid string"),
        ({"temperature": "hot"}, "temperature: Input should be a valid number"),
        ({"temperature": 2}, "temperature: Input should be less than or equal to 1"),
        ({"top_p": -0.5}, "top_p: Input should be greater than or equal to 0"),
        ({"service_tier": "flex"}, "service_tier: Input should be 'auto' or 'standard_only'"),
        ({"metadata": "x"}, "metadata: Input should be an object"),
        ({"metadata": {"user": "x"}}, "metadata.user: Extra inputs are not permitted"),
        ({"metadata": {"user_id": "x" * 257}}, "metadata.user_id: String should have at most 256 characters"),
        ({"thinking": {}}, "thinking.type: Field required"),
        (
            {"thinking": {"type": "enabled", "budget_tokens": 1000}},
            "thinking.enabled.budget_tokens: Input should be greater than or equal to 1024",
        ),
        (
            {"thinking": {"type": "disabled", "display": "omitted"}},
            "thinking.disabled.display: Extra inputs are not permitted",
        ),
        (
            {"thinking": {"type": "adaptive", "display": "updates"}},
            "thinking.adaptive.display: Input should be 'summarized' or 'omitted'",
        ),
        (
            {"output_config": {"effort": "minimal"}},
            "output_config.effort: Input should be 'low', 'medium', 'high', 'xhigh' or 'max'",
        ),
        ({"output_config": {"format": {"type": "json_schema"}}}, "output_config.format.schema: Field required"),
        (
            {"cache_control": {"type": "ephemeral", "ttl": "2h"}},
            "cache_control.ephemeral.ttl: Input should be '5m' or '1h'",
        ),
        ({"tools": [TOOL | {"parameters": {}}]}, "tools.0.custom.parameters: Extra inputs are not permitted"),
        ({"tools": [{"name": "t"}]}, "tools.0.custom.input_schema: Field required"),
        (
            {"tools": [TOOL | {"name": "a.b"}]},
            "tools.0.custom.name: String should match pattern '^[a-zA-Z0-9_-]{1,128}$'",
        ),
        ({"tool_choice": "auto"}, "tool_choice: Input should be an object"),
        ({"tool_choice": {"type": "tool"}}, "tool_choice.tool.name: Field required"),
        (
            {"tool_choice": {"type": "none", "disable_parallel_tool_use": True}},
            "tool_choice.none.disable_parallel_tool_use: Extra inputs are not permitted",
        ),
        ({"fallbacks": "default"}, "fallbacks: Extra inputs are not permitted"),
        (said({"type": "text"}), "messages.0.content.0.text.text: Field required"),
        (said({"text": "Hi"}), "messages.0.content.0.type: Field required"),
        (
            said({"type": "image", "source": {"type": "base64", "media_type": "image/bmp", "data": ""}}),
            (
                "messages.0.content.0.image.source.base64.media_type: "
                "Input should be 'image/jpeg', 'image/png', 'image/gif' or 'image/webp'"
            ),
        ),
        (
            said({"type": "tool_result", "tool_use_id": "a:b"}),
            "messages.0.content.0.tool_result.tool_use_id: String should match pattern '^[a-zA-Z0-9_-]+$'",
        ),
        (
            said({"type": "tool_use", "id": "a", "name": "t", "input": "{}"}),
            "messages.0.content.0.tool_use.input: Input should be a valid dictionary",
        ),
        (
            said({"type": "thinking", "thinking": "", "signature": "", "cache_control": {"type": "ephemeral"}}),
            "messages.0.content.0.thinking.cache_control: Extra inputs are not permitted",
        ),
        (
            said({"type": "web_search_tool_result", "tool_use_id": "a", "content": [{"type": "web_search_result"}]}),
            "messages.0.content.0.web_search_tool_result.content.0.url: Field required",
        ),
    ],
)
def test_a_wrong_shape_is_refused_with_its_place(asked, changes, text):
    assert asked(**changes).refused() == text


def test_an_unknown_type_is_refused_with_the_known_ones(asked):
    text = asked(**said({"type": "image_url", "image_url": {}})).refused()
    assert text.startswith(
        "messages.0.content.0: Input tag 'image_url' found using 'type' does not match any of the expected tags: "
        "'bash_code_execution_tool_result', "
    )
    assert "'mcp_tool_use'" not in text
    assert "tools.0: Input tag 'function' found" in asked(tools=[TOOL | {"type": "function"}]).refused()


@pytest.mark.parametrize(
    ("beta", "changes"),
    [
        ("server-side-fallback-2026-07-01", {"fallbacks": "default"}),
        ("server-side-fallback-2026-07-01", {"fallbacks": [{"model": "claude-opus-5"}]}),
        ("context-management-2025-06-27", {"context_management": {"edits": []}}),
        ("task-budgets-2026-03-13", {"output_config": {"task_budget": {"type": "tokens", "total": 5}}}),
        (
            "thinking-binding-controls-2026-08-01",
            {"thinking": {"type": "adaptive", "block_binding": {"prefix_mismatch_behavior": "drop_block"}}},
        ),
        ("thinking-display-updates-2026-08-18", {"thinking": {"type": "adaptive", "display": "updates"}}),
        (
            "mcp-client-2025-11-20",
            {"mcp_servers": [SERVER], "tools": [{"type": "mcp_toolset", "mcp_server_name": "s"}]},
        ),
        (
            "mid-conversation-system-clear-at-2026-08-21",
            {"messages": [HI, {"role": "system", "content": "Be brief.", "clear_at": "never"}]},
        ),
    ],
)
def test_a_beta_field_exists_only_with_its_beta(asked, beta, changes):
    asked(**changes).accepted(beta)
    assert asked(**changes).refused()


def test_there_is_a_bound_for_fallbacks(asked):
    text = asked(fallbacks=[{}] * 4).refused("server-side-fallback-2026-07-01")
    assert text == "fallbacks: List should have at most 3 items after validation, not 4"


def test_counting_takes_fewer_fields(asked):
    asked(max_tokens=...).accepted(counted=True)
    assert asked().refused(counted=True) == "max_tokens: Extra inputs are not permitted"
    assert asked(max_tokens=..., stream=True).refused(counted=True) == "stream: Extra inputs are not permitted"


@pytest.mark.parametrize("name", ["temperature", "top_p", "top_k"])
def test_the_newer_version_has_no_sampling_parameters(asked, name):
    question = asked(model="claude-opus-4-5", **{name: 1})
    question.accepted()
    assert question.refused(version="2026-10-21") == f"{name}: Extra inputs are not permitted"
