import pytest

from tests.support.judge import assert_valid_chunk, assert_valid_completion, assert_valid_error, assert_valid_upstream

REQUEST = {
    "model": "claude-haiku-4-5",
    "max_tokens": 10,
    "stream": True,
    "temperature": 0.5,
    "system": [{"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}}],
    "tools": [{"name": "add", "input_schema": {"type": "object", "properties": {}}}],
    "tool_choice": {"type": "auto"},
    "messages": [
        {"role": "user", "content": [{"type": "text", "text": "hi"}]},
        {"role": "assistant", "content": [{"type": "tool_use", "id": "t", "name": "add", "input": {}}]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": "3"}]},
    ],
}


def test_a_request_of_the_messages_api_is_valid():
    assert_valid_upstream(REQUEST)


@pytest.mark.parametrize(
    "change",
    [
        {"max_tokens": "10"},
        {"max_tokens": True},
        {"system": None},
        {"unknown": 1},
        {"temperature": "hot"},
        {"output_config": {"effort": "minimal"}},
        {"tool_choice": {"type": "none", "disable_parallel_tool_use": True}},
        {"tools": [{"type": "function", "function": {"name": "add"}}]},
        {"tools": [{"name": "add", "input_schema": {"properties": {}}}]},
        {"messages": [{"role": "tool", "content": "3"}]},
        {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}]},
        {"messages": [{"role": "user", "content": [{"type": "text", "text": "hi", "stray": 1}]}]},
        {"messages": [{"role": "assistant", "content": [{"type": "tool_use", "id": "t", "name": "a", "input": "{}"}]}]},
    ],
    ids=repr,
)
def test_a_request_of_another_shape_is_caught(change: dict[str, object]):
    with pytest.raises(AssertionError):
        assert_valid_upstream(REQUEST | change)


def completion() -> dict[str, object]:
    message: dict[str, object] = {"role": "assistant", "content": "hi", "refusal": None, "reasoning_content": "hm"}
    choice = {"index": 0, "message": message, "finish_reason": "stop", "logprobs": None}
    return {"id": "c", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice]}


def test_a_completion_may_carry_the_fields_own_extensions():
    assert assert_valid_completion(completion()).choices[0].message.content == "hi"


@pytest.mark.parametrize("change", [{"created": 1.5}, {"stray": 1}, {"choices": [{"index": 0}]}, {"object": "chat"}])
def test_a_completion_of_another_shape_is_caught(change: dict[str, object]):
    with pytest.raises((AssertionError, ValueError)):
        assert_valid_completion(completion() | change)


def chunk(**delta: object) -> dict[str, object]:
    choice = {"index": 0, "delta": delta, "finish_reason": None, "logprobs": None}
    return {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice]}


def test_a_chunk_is_valid():
    assert assert_valid_chunk(chunk(content="hi")).choices[0].delta.content == "hi"


@pytest.mark.parametrize("delta", [{"content": 1}, {"stray": 1}, {"tool_calls": [{"id": "t"}]}], ids=repr)
def test_a_chunk_of_another_shape_is_caught(delta: dict[str, object]):
    with pytest.raises((AssertionError, ValueError)):
        assert_valid_chunk(chunk(**delta))


def test_an_error_has_all_four_keys():
    assert_valid_error({"error": {"message": "no", "type": "server_error", "param": None, "code": None}})
    with pytest.raises(AssertionError):
        assert_valid_error({"error": {"message": "no", "type": "server_error"}})
