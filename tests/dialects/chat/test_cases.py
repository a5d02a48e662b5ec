"""Every case in `cases/`: the request, the stream however it is cut, the folded answer, and the SDKs' own verdict."""

import json
import random
import re
from collections.abc import Iterable
from itertools import pairwise
from typing import Any

import pytest
from openai.lib.streaming.chat._completions import ChatCompletionStreamState

from claude_proxy.errors import ProxyError
from claude_proxy.simulator.request_validation import messages_request
from claude_proxy.wire.anthropic import VERSION
from tests.dialects.chat.case import CASES, Case, error_of
from tests.dialects.chat.chunks import folded, without_custom
from tests.support.judge import assert_valid_chunk, assert_valid_completion, assert_valid_upstream

ALL = [Case(path.name) for path in sorted(CASES.iterdir())]
SENT = [case for case in ALL if case.has("anthropic.json")]
REFUSED = [case for case in ALL if not case.has("anthropic.json")]
ANSWERED = [case for case in ALL if case.has("upstream.sse")]
WHOLE = [case for case in ANSWERED if case.has("completion.json")]

PING = b'event: ping\ndata: {"type": "ping"}\n\n'


def of(cases: list[Case]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("case", cases, ids=[case.name for case in cases])


@of(ALL)
def test_a_case_says_in_one_line_what_it_holds(case: Case) -> None:
    text = case.path("README").read_text("utf-8")
    assert text.count("\n") == 1
    assert case.has("openai.json")


@of(SENT)
def test_upstream_gets_exactly_the_expected_request(case: Case) -> None:
    assert canonical(json.loads(case.translation().body)) == canonical(case.json("anthropic.json"))
    assert case.notes() == (case.path("notes.txt").read_text("utf-8") if case.has("notes.txt") else "")


@of(SENT)
def test_the_expected_request_is_one_that_upstream_takes(case: Case) -> None:
    body = case.json("anthropic.json")
    assert_valid_upstream(body)
    if '"signature"' not in json.dumps(body) and "redacted_thinking" not in json.dumps(body):  # those are not forged
        betas = frozenset(case.translation().betas)
        messages_request(json.dumps(body).encode(), VERSION, betas)


@of(REFUSED)
def test_a_request_that_cannot_be_translated_is_refused_with_its_path(case: Case) -> None:
    with pytest.raises(ProxyError) as refusal:
        case.translation()
    assert error_of(refusal.value) == case.json("error.json")
    assert refusal.value.param


def _crlf(data: bytes) -> bytes:
    return data.replace(b"\n", b"\r\n")


def _cr(data: bytes) -> bytes:
    return data.replace(b"\n", b"\r")


def _comments(data: bytes) -> bytes:
    return b": hello\n\n" + re.sub(rb"(?m)^data: ", b": a comment in the middle of an event\ndata:", data)


def _pings(data: bytes) -> bytes:
    return PING + data.replace(b"\n\n", b"\n\n" + PING)


def _spaced(data: bytes) -> bytes:
    """`data` with spaces in its JSON, which takes it off the short way for runs of deltas."""
    return re.sub(rb'(?m)^data: \{"', b'data: { "', data)


def _padded(data: bytes) -> bytes:
    return re.sub(rb"(?m)\}$", b"}      ", data)


@of(ANSWERED)
@pytest.mark.parametrize("dressed", [bytes, _crlf, _cr, _comments, _pings, _padded, _spaced])
def test_the_stream_is_the_expected_one(case: Case, dressed: Any) -> None:
    frames, failure = case.streamed([dressed(stream) for stream in case.upstream()])
    assert frames.decode() == case.read("client.sse").decode()
    assert (failure and error_of(failure)) == (case.json("error.json") if case.has("error.json") else None)


@of(ANSWERED)
def test_the_stream_is_the_same_however_its_bytes_are_cut(case: Case) -> None:
    def bytewise(data: bytes) -> Iterable[bytes]:
        return (data[place : place + 1] for place in range(len(data)))

    expected = case.read("client.sse")
    assert case.streamed(case.upstream(), bytewise)[0] == expected
    assert case.streamed([_crlf(stream) for stream in case.upstream()], bytewise)[0] == expected
    for seed in range(5):
        dice = random.Random(seed)
        cut = at_random(dice)
        assert case.streamed(case.upstream(), cut)[0] == expected, f"cut with seed {seed}"


def at_random(dice: random.Random) -> Any:
    def cut(data: bytes) -> Iterable[bytes]:
        places = [0, *sorted(dice.choices(range(len(data)), k=len(data) // 40)), len(data)]
        return (data[start:end] for start, end in pairwise(places))

    return cut


@of(WHOLE)
def test_the_folded_answer_is_the_expected_one(case: Case) -> None:
    assert canonical(case.folded(case.upstream())) == canonical(case.json("completion.json"))


@of([case for case in ANSWERED if case not in WHOLE])
def test_an_answer_that_fails_is_no_completion(case: Case) -> None:
    with pytest.raises(ProxyError) as failure:
        case.folded(case.upstream())
    assert error_of(failure.value) == case.json("error.json")
    assert b"[DONE]" not in case.read("client.sse")
    assert all(choice["finish_reason"] is None for chunk in chunks(case) for choice in chunk["choices"])


@of(ANSWERED)
def test_every_chunk_is_one_of_the_sdk_and_in_order(case: Case) -> None:
    received = chunks(case)
    for chunk in received:
        assert_valid_chunk(without_custom(chunk))
        assert [chunk[key] for key in ("id", "object", "created", "model")] == [
            received[0][key] for key in ("id", "object", "created", "model")
        ]
    if received:
        assert received[0]["choices"][0]["delta"] == {"role": "assistant", "content": "", "refusal": None}
        assert not any("role" in choice["delta"] for chunk in received[1:] for choice in chunk["choices"])


@of(WHOLE)
def test_a_whole_stream_ends_with_one_finish_then_usage_if_asked_then_done(case: Case) -> None:
    frames = case.read("client.sse")
    assert frames.endswith(b"data: [DONE]\n\n")
    assert frames.count(b"[DONE]") == 1
    received = chunks(case)
    wants_usage = (case.json("openai.json").get("stream_options") or {}).get("include_usage") is True
    has_usage = wants_usage and "usage" in case.json("completion.json")
    *_, last = [chunk for chunk in received if chunk["choices"]]
    finished = [chunk for chunk in received for choice in chunk["choices"] if choice["finish_reason"]]
    assert finished == [last]
    assert all(("usage" in chunk) == wants_usage and not chunk.get("usage") for chunk in received if chunk["choices"])
    assert [chunk for chunk in received if not chunk["choices"]] == received[len(received) - has_usage :]


@of(WHOLE)
def test_the_completion_is_one_of_the_sdk(case: Case) -> None:
    assert_valid_completion(case.json("completion.json"))


@of(WHOLE)
def test_folding_the_chunks_gives_the_completion(case: Case) -> None:
    expected = case.json("completion.json")
    received = folded(chunks(case))
    if "usage" not in received:
        expected.pop("usage", None)
    assert received == expected


@of(WHOLE)
def test_the_sdks_accumulator_reads_the_same_answer(case: Case) -> None:
    state: Any = ChatCompletionStreamState()
    for chunk in chunks(case):
        state.handle_chunk(assert_valid_chunk(without_custom(chunk)))
    got = state.current_completion_snapshot.to_dict(mode="json")["choices"][0]
    expected = case.json("completion.json")["choices"][0]
    message = expected["message"]
    assert got["finish_reason"] == expected["finish_reason"]
    assert (got["message"].get("content") or None) == (message["content"] or None)
    for key in ("refusal", "reasoning_content", "function_call"):
        assert got["message"].get(key) == message.get(key)
    assert [note["url_citation"] for note in got["message"].get("annotations") or []] == [
        note["url_citation"] for note in message["annotations"]
    ]
    calls = [call for call in message.get("tool_calls", []) if call["type"] == "function"]
    assert [
        (call["id"], call["function"]["name"], call["function"]["arguments"])
        for call in got["message"].get("tool_calls") or []
        if call["type"] == "function" and call.get("function")
    ] == [(call["id"], call["function"]["name"], call["function"]["arguments"]) for call in calls]


# ----------------------------------------------------------------------------------------------------- reading


def canonical(value: Any) -> str:
    """JSON in one form: true is not 1, 1 is not 1.0, keys have no order."""
    return json.dumps(value, sort_keys=True, indent=1, ensure_ascii=False)


def chunks(case: Case) -> list[Any]:
    """The chunks in `client.sse`, `[DONE]` left out; fails on a line that is no frame."""
    frames = case.read("client.sse").decode().split("\n\n")
    assert frames.pop() == ""
    assert all(frame.startswith("data: ") and "\n" not in frame for frame in frames)
    return [json.loads(frame[6:]) for frame in frames if frame != "data: [DONE]"]
