"""Every case in `cases/`: the request, the stream however it is cut, the folded answer, and the SDKs' own verdict."""

import json
import random
from collections.abc import Iterable
from typing import Any

import pytest

from claude_proxy.errors import ProxyError
from claude_proxy.simulator.request_validation import messages_request
from claude_proxy.wire.anthropic import VERSION
from tests.dialects.chat.case import error_of
from tests.dialects.chat.test_cases import at_random, canonical
from tests.dialects.responses.case import CASES, Case, events_in
from tests.dialects.responses.sdk import accumulated, assert_valid_event, assert_valid_response
from tests.support.judge import assert_valid_upstream

ALL = [Case(path.name) for path in sorted(CASES.iterdir())]
SENT = [case for case in ALL if case.has("anthropic.json")]
REFUSED = [case for case in ALL if not case.has("anthropic.json")]
ANSWERED = [case for case in ALL if case.has("upstream.sse")]
WHOLE = [case for case in ANSWERED if case.has("response.json")]


def of(cases: list[Case]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("case", cases, ids=[case.name for case in cases])


@of(ALL)
def test_a_case_says_in_one_line_what_it_holds(case: Case) -> None:
    assert case.path("README").read_text("utf-8").count("\n") == 1
    assert case.has("request.json")


@of(SENT)
def test_upstream_gets_exactly_the_expected_request(case: Case) -> None:
    assert canonical(json.loads(case.translation().body)) == canonical(case.json("anthropic.json"))
    assert case.notes() == (case.path("notes.txt").read_text("utf-8") if case.has("notes.txt") else "")


@of(SENT)
def test_the_expected_request_is_one_that_upstream_takes(case: Case) -> None:
    body = case.json("anthropic.json")
    assert_valid_upstream(body)
    text = json.dumps(body)
    if not any(name in text for name in ('"signature"', "redacted_thinking")):  # those are not forged
        messages_request(text.encode(), VERSION, frozenset(case.translation().betas))


@of(REFUSED)
def test_a_request_that_cannot_be_said_is_refused_with_its_place(case: Case) -> None:
    with pytest.raises(ProxyError) as refusal:
        case.translation()
    assert error_of(refusal.value) == case.json("error.json")
    assert refusal.value.param


@of(ANSWERED)
def test_the_stream_is_the_expected_one_however_its_bytes_are_cut(case: Case) -> None:
    def bytewise(data: bytes) -> Iterable[bytes]:
        return (data[pos : pos + 1] for pos in range(len(data)))

    expected = case.read("client.sse").decode()
    frames, failure = case.streamed(case.upstream())
    assert frames.decode() == expected
    assert (failure and error_of(failure)) == (case.json("error.json") if case.has("error.json") else None)
    wanted = merged(events_in(frames))
    for cut in (bytewise, *(at_random(random.Random(seed)) for seed in range(5))):
        assert merged(events_in(case.streamed(case.upstream(), cut)[0])) == wanted


def merged(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """`events` without their numbers, where adjacent deltas of one text are one: reads decide how they are cut."""
    joined: list[dict[str, Any]] = []
    for numbered in events:
        event = {key: value for key, value in numbered.items() if key != "sequence_number"}
        last = joined[-1] if joined else {}
        if "delta" in event and last.get("delta") and {**last, "delta": ""} == {**event, "delta": ""}:
            last["delta"] += event["delta"]
        else:
            joined.append(event)
    return joined


@of(WHOLE)
def test_the_folded_answer_is_the_expected_one_and_that_of_the_last_event(case: Case) -> None:
    assert canonical(case.folded(case.upstream())) == canonical(case.json("response.json"))
    last = events_in(case.read("client.sse"))[-1]
    assert canonical(last["response"]) == canonical(case.json("response.json"))
    assert last["type"] == f"response.{last['response']['status']}"


@of([case for case in ANSWERED if case not in WHOLE])
def test_an_answer_that_fails_ends_with_an_error_and_a_failed_response(case: Case) -> None:
    with pytest.raises(ProxyError) as failure:
        case.folded(case.upstream())
    assert error_of(failure.value) == case.json("error.json")
    events = events_in(case.read("client.sse"))
    assert [event["type"] for event in events[-2:]] == ["error", "response.failed"]
    assert not any(event["type"] in ("response.completed", "response.incomplete") for event in events)
    assert events[-1]["response"]["error"]["message"] == events[-2]["error"]["message"]


@of(ANSWERED)
def test_every_event_is_one_of_the_sdk_and_numbered(case: Case) -> None:
    events = events_in(case.read("client.sse"))
    for event in events:
        assert_valid_event(event)
    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    assert [event["type"] for event in events[:2]] == ["response.created", "response.in_progress"]


@of(WHOLE)
def test_the_response_is_one_of_the_sdk(case: Case) -> None:
    assert_valid_response(case.json("response.json"))


@of(WHOLE)
def test_the_sdks_accumulator_reads_the_same_response(case: Case) -> None:
    got = accumulated(events_in(case.read("client.sse")))
    expected = case.json("response.json")
    if expected["status"] == "completed":
        assert got.id == expected["id"]
        assert got.output_text == output_text(expected)


def output_text(response: dict[str, Any]) -> str:
    parts = [part for item in response["output"] if item["type"] == "message" for part in item["content"]]
    return "".join(part["text"] for part in parts if part["type"] == "output_text")


@of(WHOLE)
def test_folding_the_events_gives_the_response(case: Case) -> None:
    events = events_in(case.read("client.sse"))
    assert folded_items(events) == case.json("response.json")["output"]


def folded_items(events: list[dict[str, Any]]) -> list[Any]:
    """The items that the events add up to, after nothing but OpenAI's description of them."""
    items: dict[int, Any] = {}
    done: dict[int, Any] = {}
    texts: dict[tuple[Any, ...], str] = {}
    for event in events:
        kind, index = event["type"].removeprefix("response."), event.get("output_index")
        if index is None:
            continue
        at = (index, event.get("content_index"), event.get("summary_index"))
        if kind == "output_item.added":
            assert index == len(items)
            assert event["item"].get("status") in (None, "in_progress")
            items[index] = event["item"]
        elif kind == "output_item.done":
            assert {**event["item"], **dict.fromkeys(CHANGING)} == {**items[index], **dict.fromkeys(CHANGING)}
            assert index not in done
            done[index] = event["item"]
        elif kind.endswith(".delta"):
            assert index not in done
            assert event["item_id"] == items[index]["id"]
            texts[at] = texts.get(at, "") + event["delta"]
        elif kind.endswith(".done") and at in texts:
            (text,) = [event[name] for name in ("text", "arguments", "input", "refusal") if name in event] or [None]
            assert text in (None, texts[at])
    assert done.keys() == items.keys()
    return [done[index] for index in range(len(items))]


# What may differ between an item that begins and the same item when it is done.
CHANGING = (
    *("content", "status", "arguments", "input", "summary", "encrypted_content", "action", "output", "error"),
    "operation",
)
