import json
from typing import Any

import pytest

from claude_proxy.errors import InvalidRequest
from claude_proxy.upstream.claude_cli.request import cli_request, request_model

TEXT = {"type": "text", "text": "hi"}
GUARD = {"type": "text", "text": " "}


def steps(messages: list[Any] | None = None, betas: tuple[str, ...] = (), **fields: Any) -> list[list[dict[str, Any]]]:
    """The lines of each step for a request with these fields."""
    body = {"model": "claude-x", "max_tokens": 5, "stream": True, "messages": messages or [user(TEXT)], **fields}
    request = cli_request(json.dumps(body).encode(), betas, model_by_setting=True)
    return [[json.loads(line) for line in step.lines] for step in request.steps]


def user(*blocks: dict[str, Any]) -> dict[str, Any]:
    return {"role": "user", "content": list(blocks)}


def assistant(*blocks: dict[str, Any]) -> dict[str, Any]:
    return {"role": "assistant", "content": list(blocks)}


def settings(**fields: Any) -> dict[str, Any]:
    found: dict[str, Any] = steps(**fields)[0][1]["request"]["settings"]
    return found


def test_the_system_prompt_is_one_text_and_never_that_of_the_cli() -> None:
    for system, text in (
        (None, ""),
        ("one", "one"),
        ([{"type": "text", "text": "one"}, {"type": "text", "text": "two", "cache_control": {}}], "one\n\ntwo"),
    ):
        (initialize, _), *_ = steps(system=system)
        assert initialize["request"] == {"subtype": "initialize", "systemPrompt": text}


def test_every_other_field_goes_into_the_extra_body_unchanged() -> None:
    schema = {"type": "object", "properties": {"z": {}, "a": {}}}
    tool = {"name": "t", "input_schema": schema}
    fields = {
        "temperature": 0.5,
        "stop_sequences": ["x"],
        "tool_choice": {"type": "any"},
        "thinking": {"type": "adaptive"},
    }
    found = settings(**fields, tools=[{**tool, "cache_control": {"type": "ephemeral"}}], metadata={"user_id": "u"})
    extra = json.loads(found["env"]["CLAUDE_CODE_EXTRA_BODY"])
    assert extra == {"max_tokens": 5, **fields, "tools": [tool]}
    assert list(extra["tools"][0]["input_schema"]["properties"]) == ["z", "a"]


def test_the_model_is_a_setting_where_the_version_takes_it() -> None:
    assert settings()["model"] == "claude-x"
    body = json.dumps({"model": "m", "messages": [user(TEXT)]}).encode()
    assert b'"model"' not in cli_request(body, (), model_by_setting=False).steps[0].lines[1]
    assert cli_request(body, (), model_by_setting=False).model == "m"


def test_betas_are_a_variable() -> None:
    assert settings(betas=("a-1", "b-2"))["env"]["ANTHROPIC_BETAS"] == "a-1,b-2"
    assert "ANTHROPIC_BETAS" not in settings()["env"]


def test_each_user_turn_is_a_step_and_only_the_last_one_asks() -> None:
    body = {"model": "m", "messages": [user(TEXT), assistant(TEXT), user(TEXT), assistant(TEXT), user(TEXT)]}
    request = cli_request(json.dumps(body).encode(), (), model_by_setting=True)
    assert [step.results for step in request.steps] == [0, 1, 1, 0]
    assert request.steps[0].controls == {"initialize", "settings"}
    lines = [[json.loads(line) for line in step.lines] for step in request.steps[1:]]
    assert [[line["type"] for line in step] for step in lines] == [
        ["user"],
        ["assistant", "user"],
        ["assistant", "user"],
    ]
    assert [step[-1].get("shouldQuery") for step in lines] == [False, False, None]


def test_assistant_turns_have_ids_of_their_own_and_the_model() -> None:
    _, _, (one, _), (two, _) = steps([user(TEXT), assistant(TEXT), user(TEXT), assistant(TEXT), user(TEXT)])
    assert one["message"]["id"] != two["message"]["id"]
    assert {one["message"]["model"], two["message"]["model"]} == {"claude-x"}


def test_neighbours_of_one_role_are_one_turn() -> None:
    _, (line,) = steps([user(TEXT), {"role": "user", "content": "more"}])
    assert line["message"]["content"] == [TEXT, {"type": "text", "text": "more"}, GUARD]


def test_a_blank_text_keeps_commands_from_being_run() -> None:
    _, (line,) = steps([{"role": "user", "content": "/help"}])
    assert line["message"]["content"] == [{"type": "text", "text": "/help"}, GUARD]


def test_results_of_tools_alone_need_none() -> None:
    result = {"type": "tool_result", "tool_use_id": "t", "content": "x"}
    call = {"type": "tool_use", "id": "t", "name": "n", "input": {"a": 1.0}}
    *_, (before, line) = steps([user(TEXT), assistant(call), user(result)])
    assert before["message"]["content"] == [call]
    assert line["message"]["content"] == [result]


def test_cache_marks_are_taken_out_at_every_depth() -> None:
    mark = {"cache_control": {"type": "ephemeral"}}
    result = {"type": "tool_result", "tool_use_id": "t", "content": [{**TEXT, **mark}], **mark}
    call = {"type": "tool_use", "id": "t", "name": "n", "input": {}}
    lines = steps([user({**TEXT, **mark}), assistant(call), user(result)], cache_control={"type": "ephemeral"})
    assert "cache_control" not in json.dumps(lines)


@pytest.mark.parametrize(
    "messages",
    [
        [{"role": "assistant", "content": "go on"}],
        [{"role": "user", "content": "x"}, {"role": "assistant", "content": "go on"}],
        [{"role": "user", "content": "x"}, {"role": "system", "content": "y"}, {"role": "user", "content": "x"}],
    ],
)
def test_what_cannot_be_carried_is_refused(messages: list[Any]) -> None:
    with pytest.raises(InvalidRequest, match="Claude CLI"):
        steps(messages)


@pytest.mark.parametrize("body", [b"", b"{}", b"[]", b'{"model":1,"messages":[]}', b'{"model":"m","messages":[{}]}'])
def test_what_is_no_messages_request_is_refused(body: bytes) -> None:
    with pytest.raises(InvalidRequest):
        cli_request(body, (), model_by_setting=True)


def test_the_model_of_a_body() -> None:
    assert request_model(b'{"model":"m"}') == "m"
    assert request_model(b"nonsense") == ""
