import json
from typing import Any

from claude_proxy.dialects.responses.events import EventWriter
from claude_proxy.dialects.responses.items import GrowingText, OpenMessage, Output, add_refusal
from claude_proxy.translate.reply_handler import Block, DeltaBatch
from claude_proxy.wire.anthropic import ContentBlock
from tests.dialects.responses.case import events_in


def batch(*strings: str) -> DeltaBatch:
    return DeltaBatch("text", Block(0, "text", ContentBlock()), [json.dumps(text).encode() for text in strings])


def test_a_text_grows_from_single_deltas_and_batches():
    text = GrowingText()
    assert not text
    assert text.add('a"\n') == b'a\\"\\n'
    assert text.add_batch(batch("b", "é")) == b"b\\u00e9"
    assert (text.text, json.loads(text.json)) == ('a"\nbé', 'a"\nbé')


def test_a_long_text_of_small_pieces_takes_little_more_than_its_size():
    text = GrowingText()
    for _ in range(10_000):
        text.add("ab")
    assert len(text.json) == 20_002


def test_a_message_is_added_grows_and_is_done():
    writer = EventWriter()
    output = Output("id", writer, encrypted_reasoning=False)
    message = OpenMessage(output)
    message.add("Hel")
    message.add_batch(batch("l", "o"), count=True)
    assert message.length == 5
    message.end("incomplete")
    events = events_in(writer.take())
    kinds: list[Any] = [event["type"].removeprefix("response.") for event in events]
    assert kinds == [
        *("output_item.added", "content_part.added", "output_text.delta", "output_text.delta"),
        *("output_text.done", "content_part.done", "output_item.done"),
    ]
    assert events[-1]["item"]["status"] == "incomplete"
    assert output.done_items == output.items


def test_without_events_the_items_are_the_same():
    silent, told = (Output("id", writer, encrypted_reasoning=False) for writer in (None, EventWriter()))
    for output in (silent, told):
        add_refusal(output, "No.")
    assert silent.items == told.items
