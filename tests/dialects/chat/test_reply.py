from typing import Any

import pytest

from claude_proxy.dialects.chat.context import ChatReplyContext
from claude_proxy.dialects.chat.fold import CompletionFold
from claude_proxy.dialects.chat.reply import DEFAULT_REFUSAL, FINISH_REASONS, string_ends_with_newline
from claude_proxy.wire.chat_reply import Choice
from tests.support.messages_stream import (
    block_start,
    block_stop,
    delta,
    message_end,
    message_start,
    text_block,
    thinking_block,
    tool_block,
)


def folded(*parts: bytes, **context: Any) -> tuple[CompletionFold, Choice]:
    fold = CompletionFold(ChatReplyContext(model="m", **context))
    for data in parts:
        fold.feed(data)
    fold.close()
    return fold, fold.choice()


@pytest.mark.parametrize(("reason", "expected"), [*FINISH_REASONS.items(), ("new", "stop"), (None, "stop")])
def test_stop_reasons_in_openais_words(reason: Any, expected: str):
    _, choice = folded(message_start(), tool_block(0), message_end(reason))
    assert choice.finish_reason == expected


def test_a_tool_use_stop_without_a_call_of_the_clients_is_a_stop():
    server = block_start(0, type="server_tool_use", id="s", name="web_search", input={}) + block_stop(0)
    _, choice = folded(message_start(), server, message_end("tool_use"))
    assert choice.finish_reason == "stop"


@pytest.mark.parametrize(
    ("texts", "details", "refusal"),
    [
        ([], {"explanation": "Why."}, "Why."),
        ([], None, DEFAULT_REFUSAL),
        ([], {}, DEFAULT_REFUSAL),
        (["Partly"], {"explanation": "Why."}, None),
    ],
)
def test_a_refusal_is_told_where_there_is_no_text(texts: list[str], details: Any, refusal: str | None):
    _, choice = folded(message_start(), text_block(0, *texts), message_end("refusal", details))
    assert (choice.finish_reason, choice.message.refusal) == ("content_filter", refusal)


def test_thinking_is_shown_only_where_it_is_wanted():
    data = message_start() + thinking_block(0, "Hm.") + thinking_block(1, "So.") + message_end()
    assert folded(data)[1].message.reasoning_content == "Hm.\n\nSo."
    assert not folded(data, show_reasoning=False)[1].message.reasoning_content


@pytest.mark.parametrize(
    ("one", "two", "joined"),
    [("a", "b", "a\n\nb"), ("a\n", "b", "a\nb"), ("a", "\nb", "a\nb"), ("a\\n", "b", "a\\n\n\nb"), ("", "b", "b")],
)
@pytest.mark.parametrize("deltas", [1, 3])
def test_texts_with_another_block_between_them_are_set_apart(one: str, two: str, joined: str, deltas: int):
    first = text_block(0, *["x"] * (deltas - 1), one)
    _, choice = folded(message_start(), first, thinking_block(1, "Hm."), text_block(2, two), message_end())
    assert choice.message.content == "x" * (deltas - 1) + (joined if one or deltas == 1 else f"\n\n{joined}")


def test_adjacent_texts_are_joined_as_they_are():
    _, choice = folded(message_start(), text_block(0, "a"), text_block(1, "b"), message_end())
    assert choice.message.content == "ab"


def test_a_url_is_cited_once_for_each_text():
    urls = ["https://example.org", "https://example.org", None, "file:///etc", "http://example.org/b"]
    citations = [{"type": "web_search_result_location", "url": url, "title": None} for url in urls]
    cited = b"".join(delta(2, type="citations_delta", citation=citation) for citation in citations)
    parts = (block_start(2, type="text", text="äb"), cited, block_stop(2))
    before = (message_start(), text_block(0, "x", "y"), thinking_block(1, "Hm."))
    _, choice = folded(*before, *parts, message_end(), server_tools=True)
    found = [annotation.url_citation for annotation in choice.message.annotations]
    assert [(cite.url, cite.start_index, cite.end_index) for cite in found] == [
        ("https://example.org", 4, 6),
        ("http://example.org/b", 4, 6),
    ]


def test_citations_count_texts_that_came_as_batches():
    cited = delta(0, type="citations_delta", citation={"type": "web_search_result_location", "url": "https://x.org"})
    text = b"".join(delta(0, type="text_delta", text=text) for text in ("ab", "cd", "ef"))
    parts = (block_start(0, type="text", text=""), text, cited, block_stop(0))
    _, choice = folded(message_start(), *parts, message_end(), server_tools=True)
    assert choice.message.annotations[0].url_citation.end_index == 6
    assert choice.message.content == "abcdef"


def test_a_reply_that_is_cut_at_a_stop_text_tells_the_counters_that_upstream_had_told():
    fold, choice = folded(message_start(input_tokens=5, output_tokens=1), text_block(0, "one\n\ntwo"), stops=("\n\n",))
    assert (fold.reader.cut, choice.finish_reason, choice.message.content) == (True, "stop", "one")
    assert fold.usage is not None
    assert (fold.usage.input_tokens, fold.usage.output_tokens) == (5, 1)


@pytest.mark.parametrize("stop", ["\n\n", "e\n"])
def test_a_stop_text_is_not_found_across_another_block(stop: str):
    parts = (text_block(0, "one"), thinking_block(1, "Hm."), text_block(2, "\ntwo"))
    _, choice = folded(message_start(), *parts, message_end(), stops=(stop,))
    assert choice.message.content == "one\ntwo"


@pytest.mark.parametrize("text", ["", "a", "\n", "a\n", "\\n", "a\\n", "\\\n", "\\\\n", "n"])
def test_the_end_of_a_json_string_is_read_as_its_text_ends(text: str):
    import json

    assert string_ends_with_newline(json.dumps(text).encode()) == text.endswith("\n")
