import json

from claude_proxy.dialects.chat.parameters import EXTENSIONS, PARAMETERS
from claude_proxy.dialects.chat.request import to_messages_request
from claude_proxy.dialects.explain import explained
from claude_proxy.options import Options
from claude_proxy.translate.models import model_for
from claude_proxy.wire.chat_request import read_chat_request


def rows(**request: object) -> list[tuple[str, str, str]]:
    body = {"model": "claude-sonnet-4-5", "messages": [{"role": "user", "content": "hi"}], **request}
    chat, unknown = read_chat_request(json.dumps(body).encode())
    translation = to_messages_request(chat, unknown, model=model_for(chat.model, {}), options=Options())
    return explained(body, translation, (*PARAMETERS, *EXTENSIONS))


def test_each_given_parameter_has_a_row_and_no_other_has():
    assert [name for _, name, _ in rows(stream=True)] == ["model", "messages", "stream"]


def test_a_note_on_the_parameter_itself_replaces_its_rule():
    assert rows(seed=7)[-1] == ("warning", "seed", "the Messages API has no seed")


def test_a_note_on_a_part_of_a_parameter_stands_below_its_rule():
    tool = {"type": "function", "function": {"name": "a.b"}}
    kinds = [(kind, name) for kind, name, _ in rows(tools=[tool])][2:]
    assert kinds == [("mapped", "tools"), ("changed", "tools[0].function.name")]


def test_a_parameter_that_has_no_effect_by_nature_is_called_ignored():
    assert ("ignored", "prompt_cache_key") in [(kind, name) for kind, name, _ in rows(prompt_cache_key="k")]


def test_a_change_to_what_was_not_given_is_told_as_well():
    raised = rows(reasoning_effort="max", max_completion_tokens=2000)
    assert ("changed", "max_tokens") in [(kind, name) for kind, name, _ in raised]
