import json

import pytest
from click.testing import CliRunner, Result

from claude_proxy.cli.explain import explain

REQUEST = {
    "model": "claude-opus-5-5",
    "messages": [{"role": "user", "content": "hi"}],
    "temperature": 0.2,
    "user": "somebody@example.com",
    "made_up": 1,
}


def explained(request: object, *arguments: str) -> Result:
    return CliRunner().invoke(explain, arguments, input=json.dumps(request))


def test_the_request_goes_to_stdout_and_the_reasons_to_stderr():
    shown = explained(REQUEST)
    assert json.loads(shown.stdout)["messages"] == [{"role": "user", "content": [{"type": "text", "text": "hi"}]}]
    assert "warning   temperature: claude-opus-5-5 takes no temperature" in shown.stderr
    assert "warning   made_up: no such parameter is known here" in shown.stderr
    assert "mapped    user: to `metadata.user_id`, hashed" in shown.stderr


def test_json_has_the_request_and_the_reasons_in_one_object():
    shown = json.loads(explained(REQUEST, "--json").stdout)
    assert shown["request"]["model"] == "claude-opus-5-5"
    assert {"kind": "warning", "param": "temperature", "reason": "claude-opus-5-5 takes no temperature"} in shown[
        "reasons"
    ]
    assert shown["anthropic-beta"] is None


def test_a_beta_that_the_request_needs_is_shown():
    tool = {"type": "function", "function": {"name": "look"}}
    request = {**REQUEST, "model": "claude-sonnet-4-5", "reasoning_effort": "high", "tools": [tool]}
    assert "anthropic-beta: interleaved-thinking-2025-05-14" in explained(request).stderr


def test_settings_are_heard():
    shown = explained(REQUEST, "--no-prompt-caching", "--max-tokens", "50")
    assert "cache_control" not in json.loads(shown.stdout)
    assert json.loads(shown.stdout)["max_tokens"] == 50


def test_a_file_is_read_and_a_request_that_is_none_is_refused(tmp_path):
    file = tmp_path / "request.json"
    file.write_text(json.dumps(REQUEST))
    assert CliRunner().invoke(explain, [str(file)]).exit_code == 0
    refused = explained({"messages": []})
    assert "Missing required parameter: 'model'" in str(refused.exception)


def test_a_retired_model_is_answered_by_its_successor_or_refused():
    request = {**REQUEST, "model": "claude-3-5-sonnet-20241022"}
    shown = explained(request)
    assert json.loads(shown.stdout)["model"] == "claude-sonnet-5-5"
    assert "warning   model: claude-3-5-sonnet-20241022 is retired" in shown.stderr
    refused = explained(request, "--retired-models", "refuse")
    assert "Its successor is 'claude-sonnet-5-5'" in str(refused.exception)


@pytest.mark.parametrize("arguments", [[], ["--json"]])
def test_an_integer_that_python_itself_refuses_to_read_is_shown(arguments: list[str]):
    digits = "9" * 5000
    request = f'{{"model":"claude-opus-5-5","messages":[{{"role":"user","content":"hi"}}],"made_up":{digits}}}'
    shown = CliRunner().invoke(explain, arguments, input=request, catch_exceptions=False)
    assert shown.exit_code == 0
    assert "no such parameter" in shown.output


def test_a_parameter_s_name_cannot_act_on_the_terminal():
    shown = explained({**REQUEST, "made\x1b[2Jup\n\u202e": 1})
    assert "made\\x1b[2Jup\\n\\u202e: no such parameter" in shown.stderr
    assert all(line.isprintable() for line in shown.stderr.splitlines())


def test_a_responses_request_is_recognised_by_its_input():
    shown = explained({"model": "claude-opus-5-5", "input": "hi", "store": False, "temperature": 0.2})
    assert json.loads(shown.stdout)["messages"] == [{"role": "user", "content": [{"type": "text", "text": "hi"}]}]
    assert "warning   temperature: claude-opus-5-5 takes no temperature" in shown.stderr
    assert "mapped    store: " in shown.stderr
    assert "mapped    input: " in shown.stderr


def test_each_prompt_of_a_completion_request_is_shown():
    shown = explained({"model": "claude-opus-5-5", "prompt": ["A", "B"], "seed": 1})
    assert [request["messages"][0]["content"][0]["text"] for request in json.loads(shown.stdout)] == ["A", "B"]
    assert shown.stderr.count("warning   seed: ") == 1


def test_a_named_dialect_wins_over_the_fields():
    shown = explained({"model": "claude-opus-5-5", "input": "hi"}, "--dialect", "chat")
    assert shown.exit_code != 0
