import json
from typing import Any

import pytest

from claude_proxy.dialects.chat.context import ChatReplyContext
from claude_proxy.dialects.chat.stream import StreamTranslator
from claude_proxy.errors import UpstreamDisconnected
from claude_proxy.wire.anthropic import Usage
from claude_proxy.wire.sse import MAX_EVENT
from tests.dialects.chat.case import Case


def translator(index: int = 0, id_: str | None = None, **context: Any) -> StreamTranslator:
    return StreamTranslator(ChatReplyContext(model="m", **context), created=7, index=index, id_=id_)


def chunks(frames: bytes) -> list[Any]:
    return [json.loads(frame[6:]) for frame in frames.split(b"\n\n")[:-1] if frame != b"data: [DONE]"]


def test_every_chunk_repeats_what_names_the_answer():
    stream = translator(index=2, id_="chatcmpl-x", include_usage=True)
    frames = stream.feed(Case("text").read("upstream.sse")) + stream.end(stream.usage)
    found = {(chunk["id"], chunk["object"], chunk["created"], chunk["model"]) for chunk in chunks(frames)}
    assert found == {("chatcmpl-x", "chat.completion.chunk", 7, "m")}
    assert {choice["index"] for chunk in chunks(frames) for choice in chunk["choices"]} == {2}


def test_the_role_goes_out_before_anything_is_said():
    (begun,) = chunks(translator().feed(Case("text").read("upstream.sse")[:600]))
    assert begun["choices"][0]["delta"] == {"role": "assistant", "content": "", "refusal": None}


@pytest.mark.parametrize(("asked", "usage"), [(True, None), (False, Usage(1)), (False, None)])
def test_usage_is_only_told_where_it_was_asked_for_and_is_known(asked: bool, usage: Usage | None):
    stream = translator(include_usage=asked)
    stream.feed(Case("text").read("upstream.sse"))
    assert stream.end(usage) == b"data: [DONE]\n\n"


def test_the_sum_of_several_choices_is_told_once():
    stream = translator(include_usage=True)
    stream.feed(Case("text").read("upstream.sse"))
    (last,) = chunks(stream.end(Usage(input_tokens=3, output_tokens=4)))
    assert (last["choices"], last["usage"]["total_tokens"]) == ([], 7)


def test_nothing_is_read_after_the_end():
    stream = translator()
    stream.feed(Case("text").read("upstream.sse"))
    assert stream.feed(Case("text").read("upstream.sse")) == b""
    stream.close()


def test_a_second_call_of_the_older_form_has_no_place():
    stream = translator(legacy_functions=True)
    deltas = [
        chunk["choices"][0]["delta"]
        for chunk in chunks(stream.feed(Case("tool_calls_interleaved").read("upstream.sse")))
    ]
    calls = [delta["function_call"] for delta in deltas if "function_call" in delta]
    assert calls[0] == {"name": "get_weather", "arguments": ""}
    assert "".join(call["arguments"] for call in calls) == '{"city":"P"}'


def test_a_finish_says_function_call_only_for_a_call():
    stream = translator(legacy_functions=True)
    last = chunks(stream.feed(Case("text").read("upstream.sse")))[-1]
    assert last["choices"][0]["finish_reason"] == "stop"


def test_an_event_without_end_is_a_failure():
    stream = translator()
    with pytest.raises(UpstreamDisconnected):
        stream.feed(b"data: " + bytes(MAX_EVENT + 1))


@pytest.mark.parametrize("name", ["thinking_omitted", "thinking_shown"])
def test_no_signature_leaks(name: str):
    frames = translator().feed(Case(name).read("upstream.sse"))
    assert not any(secret in frames for secret in (b"signature", b"U0VDUkVU", b"c2lnbmF0dXJl", b"redacted"))
