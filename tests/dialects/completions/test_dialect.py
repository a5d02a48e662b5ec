import json
from typing import Any

from openai.types import Completion
from pydantic import TypeAdapter

from claude_proxy.dialects.base import ErrorReport
from claude_proxy.dialects.completions.dialect import COMPLETIONS, TranslatedCompletion
from claude_proxy.options import Options
from claude_proxy.translate.models import model_for
from tests.support.judge import unknown_keys
from tests.support.messages_stream import message_end, message_start, text_block

SDK = TypeAdapter(Completion)
MODEL = model_for("claude-opus-4-8", {})


def translated(**fields: Any) -> TranslatedCompletion:
    request = COMPLETIONS.read(json.dumps({"model": "opus", "prompt": "Once", **fields}).encode())
    return request.translate(model=MODEL, options=Options(), memory=None)


def reply(text: str, id_: str = "msg_1") -> bytes:
    return message_start(id_, input_tokens=3) + text_block(0, text) + message_end(output_tokens=2)


def test_several_prompts_are_one_answer_whose_usage_is_summed():
    answer = translated(prompt=["A", "B"]).folded(id_="x", created=5)
    for choice, text in zip(answer.choices, ("one", "two"), strict=True):
        choice.feed(reply(text))
        choice.close()
    body = json.loads(answer.body())
    read = SDK.validate_python(body, strict=True)
    assert [path for path in unknown_keys(read) if not path.endswith("cache_write_tokens")] == []
    assert (read.id, [(each.index, each.text) for each in read.choices]) == ("cmpl-x", [(0, "one"), (1, "two")])
    assert read.usage is not None
    assert read.usage.total_tokens == 10


def test_a_single_choice_has_upstreams_id_and_usage_only_if_it_is_known():
    answer = translated().folded(id_="x", created=5)
    answer.choices[0].feed(message_start("msg_7") + text_block(0, "one") + message_end())
    answer.choices[0].close()
    assert json.loads(answer.body())["id"] == "cmpl-7"


def test_a_stream_ends_with_usage_if_it_was_asked_for_and_done():
    answer = translated(stream_options={"include_usage": True}).streamed(id_="x", created=5)
    answer.choices[0].feed(reply("one"))
    answer.choices[0].close()
    usage, done, rest = answer.end(answer.choices[0].usage).split(b"\n\n")
    assert json.loads(usage.removeprefix(b"data: "))["usage"]["completion_tokens"] == 2
    assert (done, rest) == (b"data: [DONE]", b"")
    assert translated().streamed(id_="x", created=5).end(None) == b"data: [DONE]\n\n"


def test_an_error_in_a_stream_is_openais():
    answer = translated().streamed(id_="x", created=5)
    assert b'"error":{"message":"m"' in answer.error_event(ErrorReport(502, "server_error", None, "m"), "req_1")
    assert answer.keepalive().startswith(b":")
