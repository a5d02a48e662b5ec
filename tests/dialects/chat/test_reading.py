from typing import Any

import pytest

from claude_proxy.dialects.chat.context import ChatReplyContext
from claude_proxy.dialects.chat.pieces import CallStarted, Cited, Finished, Reasoning, Started, Text
from claude_proxy.dialects.chat.reading import FINISH_REASONS, MAX_PAUSES, MAX_THINKING, REFUSED, ReplyReader
from claude_proxy.errors import ProxyError, UpstreamDisconnected
from tests.translate.test_memory import answer, event, text, use


def read(*events: bytes, **context: Any) -> tuple[ReplyReader, list[Any]]:
    reader = ReplyReader(ChatReplyContext(model="m", **context))
    return reader, [piece for data in events for piece in reader.feed(data)]


def begun(**usage: Any) -> bytes:
    return event("message_start", message={"id": "msg_1", "model": "claude-x", "usage": usage})


def ended(reason: Any = "end_turn", details: Any = None, **usage: Any) -> bytes:
    delta = {"stop_reason": reason, "stop_details": details}
    return event("message_delta", delta=delta, usage=usage) + event("message_stop")


def last(pieces: list[Any]) -> Finished:
    assert isinstance(pieces[-1], Finished)
    return pieces[-1]


@pytest.mark.parametrize(("reason", "expected"), [*FINISH_REASONS.items(), ("new", "stop"), (None, "stop")])
def test_stop_reasons_in_openais_words(reason: Any, expected: str):
    _, pieces = read(answer(use(), stop_reason=reason))
    assert last(pieces).reason == expected


def test_a_tool_use_stop_without_a_call_of_the_clients_is_a_stop():
    server = {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}}
    _, pieces = read(answer(server, stop_reason="tool_use"))
    assert last(pieces).reason == "stop"


@pytest.mark.parametrize(
    ("blocks", "details", "refusal"),
    [
        ([], {"explanation": "Why."}, "Why."),
        ([], None, REFUSED),
        ([], {}, REFUSED),
        ([text("Partly")], {"explanation": "Why."}, None),
    ],
)
def test_a_refusal_is_told_where_nothing_was_said(blocks: list[Any], details: Any, refusal: str | None):
    said = answer(*blocks).split(b'data: {"type":"message_delta"')[0]
    _, pieces = read(said, ended("refusal", details))
    assert (last(pieces).reason, last(pieces).refusal) == ("content_filter", refusal)


def test_counters_replace_earlier_ones_and_absent_ones_keep_them():
    _, pieces = read(
        begun(input_tokens=5, cache_read_input_tokens=7, output_tokens=1),
        event("message_delta", delta={}, usage={"output_tokens": 3, "input_tokens": None}),
        ended(output_tokens=9, input_tokens=6),
    )
    usage = last(pieces).usage
    assert usage is not None
    assert (usage.input_tokens, usage.cache_read_input_tokens, usage.output_tokens) == (6, 7, 9)


def test_usage_nobody_told_is_not_known():
    _, pieces = read(event("message_start", message={"id": "msg_1"}), event("message_stop"))
    assert last(pieces).usage is None


def test_usage_of_all_parts_of_a_paused_answer_is_summed():
    reader, _ = read(begun(input_tokens=1, output_tokens=1), ended("pause_turn", output_tokens=2), server_tools=True)
    for expected in (True, False):
        assert reader.paused == expected
        if expected:
            reader.resume()
            pieces = reader.feed(begun(input_tokens=10) + ended(output_tokens=20))
    usage = last(pieces).usage
    assert usage is not None
    assert (usage.input_tokens, usage.output_tokens) == (11, 22)


def test_pauses_have_a_bound():
    reader, _ = read(begun(), server_tools=True)
    for _ in range(MAX_PAUSES):
        assert reader.feed(ended("pause_turn")) == []
        reader.resume()
    assert last(reader.feed(ended("pause_turn"))).reason == "stop"
    assert not reader.paused


def test_a_pause_that_nobody_can_continue_is_a_stop():
    _, pieces = read(answer(text("x"), stop_reason="pause_turn"))
    assert last(pieces).reason == "stop"


@pytest.mark.parametrize(
    "data",
    [
        b"data: {\n\n", b"data: [1]\n\n", b"data: \xff\n\n", b'data: {"type":5}\n\n', b'data: {"a":"\xff"}\n\n',
        b'data: {"type":"content_block_delta","index":"x"}\n\n', b'data: {"type":"content_block_delta","index":0}\n\n',
        b"data: " + b"[" * 100_000 + b"\n\n",
    ],
)  # fmt: skip
@pytest.mark.parametrize("server_tools", [False, True])
def test_an_event_that_cannot_be_read_is_skipped(data: bytes, server_tools: bool):
    _, pieces = read(begun(), data, answer(text("x")), server_tools=server_tools)
    assert [type(piece) for piece in pieces] == [Started, Text, Finished]


def test_a_stream_that_does_not_say_how_it_began_begins_with_its_first_block():
    block = event("content_block_start", index=0, content_block={"type": "text", "text": "x"})
    _, pieces = read(block, ended())
    assert [type(piece) for piece in pieces] == [Started, Text, Finished]


def test_only_message_stop_ends_an_answer():
    for data in (b"", event("message_stop"), begun(), answer(text("x"))[:-30]):
        reader, _ = read(data)
        with pytest.raises(UpstreamDisconnected):
            reader.close()


def test_a_failure_of_upstreams_ends_the_reading():
    error = event("error", error={"type": "api_error", "message": "Oops"})
    reader, pieces = read(begun(), error, answer(text("more")))
    assert [type(piece) for piece in pieces] == [Started]
    with pytest.raises(ProxyError, match="Oops"):
        reader.close()
    assert read(event("error"))[0].failure is not None


def test_thinking_that_was_not_to_be_shown_is_not():
    thinking = {"type": "thinking", "thinking": "hm", "signature": "s"}
    assert any(isinstance(piece, Reasoning) for piece in read(answer(thinking))[1])
    assert not any(isinstance(piece, Reasoning) for piece in read(answer(thinking), show_reasoning=False)[1])


def test_more_thinking_than_the_bound_is_shown_and_not_remembered():
    piece = {"type": "thinking_delta", "thinking": "x" * (MAX_THINKING // 2)}
    start = event("content_block_start", index=0, content_block={"type": "thinking", "thinking": "", "signature": "s"})
    delta = event("content_block_delta", index=0, delta=piece)
    data = begun() + start + delta * 3 + event("content_block_stop", index=0)
    rest = event("content_block_start", index=1, content_block=use()) + event("content_block_stop", index=1)
    reader, pieces = read(data, rest, ended("tool_use"))
    assert any(isinstance(piece, CallStarted) for piece in pieces)
    assert reader.remembered("m", b"") is None


def test_a_url_is_cited_once_for_each_text():
    def cited(url: Any, index: int) -> bytes:
        citation = {"type": "web_search_result_location", "url": url, "title": None}
        return event("content_block_delta", index=index, delta={"type": "citations_delta", "citation": citation})

    urls = ["https://example.org", "https://example.org", None, "file:///etc", "http://example.org/b"]
    start = event("content_block_start", index=0, content_block={"type": "text", "text": "äb"})
    stop = event("content_block_stop", index=0)
    _, pieces = read(begun(), start, *[cited(url, 0) for url in urls], stop, ended())
    (found,) = [piece for piece in pieces if isinstance(piece, Cited)]
    assert [(note.url_citation.url, note.url_citation.end_index) for note in found.annotations] == [
        ("https://example.org", 2),
        ("http://example.org/b", 2),
    ]


def test_an_answer_that_is_cut_at_a_stop_text_says_that_upstream_goes_on():
    reader, pieces = read(begun(input_tokens=1), answer(text("one\n\ntwo")), stops=("\n\n",))
    assert (reader.cut, reader.over, last(pieces).reason, last(pieces).usage) == (True, True, "stop", None)
