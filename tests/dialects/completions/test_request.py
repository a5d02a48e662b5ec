import json
from typing import Any

import pytest

from claude_proxy.dialects.completions.request import MAX_REQUESTS, PromptTranslation, to_messages_requests
from claude_proxy.errors import InvalidRequest
from claude_proxy.options import Options
from claude_proxy.simulator.request_validation import messages_request
from claude_proxy.translate.models import SHIPPED, model_for, resolve
from claude_proxy.wire.anthropic import VERSION
from claude_proxy.wire.completions_request import read_completions_request
from tests.support.judge import assert_valid_upstream


def translated(options: Options | None = None, **fields: Any) -> tuple[PromptTranslation, ...]:
    body = json.dumps({"model": "claude-opus-4-8", "prompt": "Once", **fields}).encode()
    request, unknown = read_completions_request(body)
    target = resolve(request.model, {}, SHIPPED)
    model = model_for(target.id, {}, instead_of=target.instead_of)
    return to_messages_requests(request, unknown, model=model, options=options or Options())


def sent(**fields: Any) -> Any:
    (translation,) = translated(**fields)
    body = json.loads(translation.body)
    assert_valid_upstream(body)
    messages_request(translation.body, VERSION, frozenset(translation.betas))
    return body


def test_a_prompt_is_a_message_behind_a_sentence_that_asks_for_its_continuation():
    body = sent()
    assert body["messages"] == [{"role": "user", "content": [{"type": "text", "text": "Once"}]}]
    assert "Continue the user's text" in body["system"][0]["text"]
    assert body["max_tokens"] == 128_000


def test_each_prompt_is_a_request_with_all_choices():
    options = Options(max_choices=3)
    first, second = translated(options, prompt=["A", "B"], n=3, echo=True)
    assert [(each.choices, each.echo) for each in (first, second)] == [(3, "A"), (3, "B")]
    assert b'"text":"B"' in second.body


def test_parameters_that_both_apis_have_are_sent():
    body = sent(model="claude-sonnet-4-6", max_tokens=5, temperature=0.5, stop="END", user="ann")
    assert (body["max_tokens"], body["temperature"], body["stop_sequences"]) == (5, 0.5, ["END"])
    assert len(body["metadata"]["user_id"]) == 64
    assert sent(anthropic={"metadata": {"user_id": "x"}})["metadata"] == {"user_id": "x"}


def test_a_model_that_thinks_shows_nothing_of_it():
    (translation,) = translated(model="claude-opus-5-5")
    assert not translation.reply.show_reasoning
    assert "display" not in json.loads(translation.body).get("thinking", {})


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"prompt": None}, "prompt"),
        ({"prompt": 5}, "prompt"),
        ({"prompt": []}, "prompt"),
        ({"prompt": [1, 2]}, "prompt"),
        ({"prompt": [[1, 2], [3]]}, "prompt"),
        ({"prompt": ["a", 1]}, "prompt"),
        ({"prompt": ["a"] * (MAX_REQUESTS + 1)}, "prompt"),
        ({"suffix": "end"}, "suffix"),
        ({"best_of": 2}, "best_of"),
        ({"n": 0}, "n"),
        ({"n": 99}, "n"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"temperature": 3}, "temperature"),
        ({"top_p": 3}, "top_p"),
        ({"stop": 5}, "stop"),
        ({"anthropic": 5}, "anthropic"),
    ],
    ids=str,
)
def test_a_fault_is_refused_with_its_place(fields: dict[str, Any], param: str):
    with pytest.raises(InvalidRequest) as refusal:
        translated(**fields)
    assert (refusal.value.status, refusal.value.param) == (400, param)


@pytest.mark.parametrize(
    ("fields", "warned"),
    [
        ({"logprobs": 0}, "logprobs"),
        ({"frequency_penalty": 1}, "frequency_penalty"),
        ({"presence_penalty": 1}, "presence_penalty"),
        ({"logit_bias": {"5": 1}}, "logit_bias"),
        ({"seed": 1}, "seed"),
        ({"temperature": 0.5}, "temperature"),
        ({"stream_options": {"x": 1}}, "stream_options.x"),
        ({"model": "claude-3-opus"}, "model"),
    ],
    ids=str,
)
def test_what_has_no_effect_is_a_warning_and_strict_refuses_it(fields: dict[str, Any], warned: str):
    assert translated(**fields)[0].warnings == (warned,)
    with pytest.raises(InvalidRequest) as refusal:
        translated(Options(strict=True), **fields)
    assert refusal.value.param == warned


def test_values_that_ask_for_nothing_pass_in_silence():
    assert not translated(best_of=1, suffix="", frequency_penalty=0, logprobs=None, echo=False)[0].warnings
