import json
from typing import Any

import pytest

from claude_proxy.dialects.chat.context import ChatReplyContext
from claude_proxy.dialects.completions.choice import FoldedText, StreamedText, finish_reason
from claude_proxy.errors import UpstreamDisconnected
from tests.support.messages_stream import message_end, message_start, text_block, thinking_block, tool_block

CONTEXT = ChatReplyContext(model="m", show_reasoning=False)
WHOLE = message_start(output_tokens=1) + text_block(0, "One ", "two", "é😀\n") + message_end(output_tokens=5)


def frames(upstream: bytes, size: int = 1 << 20, *, echo: str = "", **context: Any) -> list[Any]:
    choice = StreamedText(ChatReplyContext(model="m", **context), index=2, echo=echo, created=5, id_=None)
    data = b"".join(choice.feed(upstream[pos : pos + size]) for pos in range(0, len(upstream), size))
    choice.close()
    return [json.loads(frame.removeprefix(b"data: ")) for frame in data.split(b"\n\n")[:-1]]


def text_of(received: list[Any]) -> str:
    return "".join(frame["choices"][0]["text"] for frame in received)


@pytest.mark.parametrize("size", [1, 7, 100, 1 << 20])
def test_the_stream_is_the_text_in_pieces_and_a_reason_at_the_end(size: int):
    received = frames(WHOLE, size, echo="Echo: ")
    assert text_of(received) == "Echo: One twoé😀\n"
    assert [frame["choices"][0]["finish_reason"] for frame in received[-2:]] == [None, "stop"]
    assert all(frame["choices"][0]["index"] == 2 for frame in received)
    assert {(frame["id"], frame["object"], frame["created"], frame["model"]) for frame in received} == {
        ("cmpl-1", "text_completion", 5, "m")
    }


def test_the_folded_choice_is_the_same_text():
    choice = FoldedText(CONTEXT, index=1, echo="Echo: ")
    choice.feed(WHOLE)
    choice.close()
    folded = choice.choice()
    assert (folded.text, folded.index, folded.finish_reason) == ("Echo: One twoé😀\n", 1, "stop")


def test_thinking_and_calls_are_no_text():
    upstream = message_start() + thinking_block(0, "Hm.") + text_block(1, "A") + tool_block(2, "{}")
    received = frames(upstream + message_end("tool_use"))
    assert text_of(received) == "A"
    assert received[-1]["choices"][0]["finish_reason"] == "stop"


@pytest.mark.parametrize(
    ("stop", "told"), [("max_tokens", "length"), ("refusal", "content_filter"), ("stop_sequence", "stop")]
)
def test_the_reason_is_in_the_words_of_completions(stop: str, told: str):
    assert frames(message_start() + message_end(stop))[-1]["choices"][0]["finish_reason"] == told
    assert finish_reason("tool_calls") == "stop"


def test_a_blank_stop_text_cuts_the_answer():
    assert text_of(frames(WHOLE, stops=("\n",))) == "One twoé😀"


def test_usage_is_null_before_its_own_frame_where_it_was_asked_for():
    received = frames(WHOLE, include_usage=True)
    assert all(frame["usage"] is None for frame in received)


def test_a_reply_that_was_cut_is_no_answer():
    choice = FoldedText(CONTEXT, index=0, echo="")
    choice.feed(WHOLE[:-60])
    assert not choice.over
    with pytest.raises(UpstreamDisconnected):
        choice.close()
