from typing import Any

import msgspec

from claude_proxy.translate.block_collector import MAX_SIZE, BlockCollector, append_assistant_message
from claude_proxy.translate.draft import ReplyContext
from claude_proxy.translate.reply import ReplyReader
from claude_proxy.translate.reply_handler import Block, ReplyHandler
from claude_proxy.wire.delta_batches import DeltaKind
from tests.support.messages_stream import block_start, block_stop, delta, event, message_start


def collected(*events: bytes) -> list[Any]:
    """What the collector of a reply with these events has."""
    reader = ReplyReader(ReplyContext(server_tools=True), Batching())
    for data in (message_start(), *events):
        reader.feed(data)
    assert reader.collector is not None
    return [msgspec.json.decode(block) for block in reader.collector.blocks()]


class Batching(ReplyHandler):
    def accepts_batch(self, kind: DeltaKind, block: Block) -> bool:
        return True


def test_blocks_are_kept_with_their_deltas_applied():
    citation = {"type": "web_search_result_location", "url": "https://example.org"}
    assert collected(
        block_start(0, type="thinking", thinking="", signature=""),
        delta(0, type="thinking_delta", thinking="a"),
        delta(0, type="thinking_delta", thinking="b"),
        delta(0, type="signature_delta", signature="s"),
        block_start(1, type="text", text="x", citations=None),
        delta(1, type="citations_delta", citation=citation),
        delta(1, type="text_delta", text="y"),
        delta(1, type="citations_delta", citation=citation),
        delta(1, type="new_delta", new="z"),
        block_start(2, type="server_tool_use", id="srvtoolu_1", name="web_search", input={}),
        delta(2, type="input_json_delta", partial_json='{"query": '),
        delta(2, type="input_json_delta", partial_json='"x"}'),
        block_start(3, type="brand_new", anything=[1, {"a": None}]),
        event("ping"),
    ) == [
        {"type": "thinking", "thinking": "ab", "signature": "s"},
        {"type": "text", "text": "xy", "citations": [citation, citation]},
        {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {"query": "x"}},
        {"type": "brand_new", "anything": [1, {"a": None}]},
    ]


def test_blank_texts_and_inputs_that_were_cut_are_left_out():
    assert (
        collected(
            block_start(0, type="text", text=" \n"),
            block_start(1, type="tool_use", id="toolu_1", name="f", input={}),
            delta(1, type="input_json_delta", partial_json='{"a": '),
            delta(5, type="text_delta", text="of no block"),
        )
        == []
    )


def test_a_second_message_goes_on_behind_the_first():
    one, two = {"type": "text", "text": "one"}, {"type": "text", "text": "two"}
    first = block_start(0, **one) + block_stop(0)
    assert collected(first, message_start("msg_2"), block_start(0, **two)) == [one, two]


def test_a_block_that_begins_twice_is_one():
    use = {"type": "tool_use", "id": "toolu_1", "name": "f", "input": {}}
    assert collected(block_start(0, **use), block_start(0, **use)) == [use]


def test_a_paused_request_goes_on_with_the_blocks_as_they_came():
    body = b'{"model":"m","messages":[{"role":"user","content":"x"}],"tools":[ {"a":1.50} ]}'
    block = msgspec.Raw(b'{"type":"text",  "text":"y"}')
    assert append_assistant_message(body, [block]) == (
        b'{"model":"m","messages":[{"role":"user","content":"x"},'
        b'{"role":"assistant","content":[{"type":"text",  "text":"y"}]}],"tools":[ {"a":1.50} ]}'
    )
    assert append_assistant_message(body, []) == body


def test_past_its_bound_nothing_is_kept():
    collector = BlockCollector()
    collector.start(0, b'{"content_block":{"type":"text","text":""}}')
    part = "x" * (1024 * 1024)
    for _ in range(MAX_SIZE // len(part) - 1):
        collector.delta(0, "text", part)
    assert not collector.overflowed
    collector.delta(0, "text", part)
    assert (collector.overflowed, collector.blocks()) == (True, [])
