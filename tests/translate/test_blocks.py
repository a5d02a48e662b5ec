from typing import Any

import msgspec

from claude_proxy.translate.blocks import BlockCollector, continued


def collected(*events: dict[str, Any]) -> list[Any]:
    collector = BlockCollector()
    for event in events:
        collector.feed(msgspec.json.encode(event))
    return [msgspec.json.decode(block) for block in collector.blocks()]


def start(index: int, **block: Any) -> dict[str, Any]:
    return {"type": "content_block_start", "index": index, "content_block": block}


def delta(index: int, **delta: Any) -> dict[str, Any]:
    return {"type": "content_block_delta", "index": index, "delta": delta}


def test_blocks_are_kept_with_their_deltas_applied():
    citation = {"type": "web_search_result_location", "url": "https://example.org"}
    assert collected(
        {"type": "message_start", "message": {}},
        start(0, type="thinking", thinking="", signature=""),
        delta(0, type="thinking_delta", thinking="a"),
        delta(0, type="thinking_delta", thinking="b"),
        delta(0, type="signature_delta", signature="s"),
        start(1, type="text", text="x", citations=None),
        delta(1, type="citations_delta", citation=citation),
        delta(1, type="text_delta", text="y"),
        delta(1, type="citations_delta", citation=citation),
        delta(1, type="new_delta", new="z"),
        start(2, type="server_tool_use", id="srvtoolu_1", name="web_search", input={}),
        delta(2, type="input_json_delta", partial_json='{"query": '),
        delta(2, type="input_json_delta", partial_json='"x"}'),
        start(3, type="brand_new", anything=[1, {"a": None}]),
        {"type": "ping"},
    ) == [
        {"type": "thinking", "thinking": "ab", "signature": "s"},
        {"type": "text", "text": "xy", "citations": [citation, citation]},
        {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {"query": "x"}},
        {"type": "brand_new", "anything": [1, {"a": None}]},
    ]


def test_blank_texts_and_inputs_that_were_cut_are_left_out():
    assert (
        collected(
            start(0, type="text", text=" \n"),
            start(1, type="tool_use", id="toolu_1", name="f", input={}),
            delta(1, type="input_json_delta", partial_json='{"a": '),
            delta(5, type="text_delta", text="of no block"),
        )
        == []
    )


def test_a_second_message_goes_on_behind_the_first():
    one, two = {"type": "text", "text": "one"}, {"type": "text", "text": "two"}
    again = {"type": "message_start", "message": {}}
    assert collected(again, start(0, **one), again, start(0, **two)) == [one, two]


def test_a_block_that_begins_twice_is_one():
    use = {"type": "tool_use", "id": "toolu_1", "name": "f", "input": {}}
    assert collected(start(0, **use), start(0, **use)) == [use]


def test_a_paused_request_goes_on_with_the_blocks_as_they_came():
    body = b'{"model":"m","messages":[{"role":"user","content":"x"}],"tools":[ {"a":1.50} ]}'
    block = msgspec.Raw(b'{"type":"text",  "text":"y"}')
    assert continued(body, [block]) == (
        b'{"model":"m","messages":[{"role":"user","content":"x"},'
        b'{"role":"assistant","content":[{"type":"text",  "text":"y"}]}],"tools":[ {"a":1.50} ]}'
    )
    assert continued(body, []) == body
