from typing import Any

import pytest

from claude_proxy.errors import ProxyError, UpstreamDisconnected
from claude_proxy.translate.draft import ReplyContext
from claude_proxy.translate.reply import MAX_PAUSES, ReplyReader
from claude_proxy.translate.reply_handler import Block, DeltaBatch, ReplyHandler
from claude_proxy.wire.anthropic import Citation
from claude_proxy.wire.delta_batches import DeltaKind
from tests.support.messages_stream import (
    block_start,
    block_stop,
    delta,
    event,
    message_end,
    message_start,
    text_block,
    thinking_block,
    tool_block,
)


class Recorder(ReplyHandler):
    """Keeps what it is told, as tuples of a word, a block's index, and its content."""

    def __init__(self, *, batches: bool = False) -> None:
        self.calls: list[tuple[Any, ...]] = []
        self._batches = batches

    def accepts_batch(self, kind: DeltaKind, block: Block) -> bool:
        return self._batches

    def on_start(self, id_: str, model: str) -> None:
        self.calls.append(("start", id_, model))

    def on_block_start(self, block: Block) -> None:
        self.calls.append(("block", block.index, block.kind))

    def on_text(self, block: Block, text: str) -> None:
        self.calls.append(("text", block.index, text))

    def on_thinking(self, block: Block, text: str) -> None:
        self.calls.append(("thinking", block.index, text))

    def on_input(self, block: Block, text: str) -> None:
        self.calls.append(("input", block.index, text))

    def on_batch(self, batch: DeltaBatch) -> None:
        self.calls.append(("batch", batch.block.index, batch.text()))

    def on_citation(self, block: Block, citation: Citation) -> None:
        self.calls.append(("citation", block.index, citation.url))

    def on_block_end(self, block: Block) -> None:
        self.calls.append(("end of block", block.index, block.signature))

    def on_end(self, stop_reason: str | None, explanation: str | None) -> None:
        self.calls.append(("end", stop_reason, explanation))


def reader(*, batches: bool = False, **context: Any) -> tuple[ReplyReader, list[tuple[Any, ...]]]:
    handler = Recorder(batches=batches)
    return ReplyReader(ReplyContext(**context), handler), handler.calls


def read(*parts: bytes, **how: Any) -> tuple[ReplyReader, list[tuple[Any, ...]]]:
    reading, calls = reader(**how)
    for data in parts:
        reading.feed(data)
    return reading, calls


def test_a_reply_is_told_block_by_block():
    citation = {"type": "web_search_result_location", "url": "https://example.org"}
    search = {"type": "server_tool_use", "id": "srv_1", "name": "web_search", "input": {}}
    _, calls = read(
        message_start(),
        thinking_block(0, "Hm."),
        block_start(1, **search) + delta(1, type="input_json_delta", partial_json='{"query":"x"}') + block_stop(1),
        block_start(2, type="text", text="A"),
        delta(2, type="text_delta", text="b"),
        delta(2, type="citations_delta", citation=citation),
        block_stop(2),
        tool_block(3, '{"a":', "1}"),
        message_end("tool_use"),
    )
    assert calls == [
        ("start", "msg_1", "claude-x"),
        ("block", 0, "thinking"),
        ("thinking", 0, "Hm."),
        ("end of block", 0, "c2ln"),
        ("block", 1, "server_tool_use"),
        ("input", 1, '{"query":"x"}'),
        ("end of block", 1, ""),
        ("block", 2, "text"),
        ("text", 2, "A"),
        ("text", 2, "b"),
        ("citation", 2, "https://example.org"),
        ("end of block", 2, ""),
        ("block", 3, "tool_use"),
        ("input", 3, '{"a":'),
        ("input", 3, "1}"),
        ("end of block", 3, ""),
        ("end", "tool_use", None),
    ]


def test_deltas_come_as_a_batch_where_the_handler_takes_it():
    data = (
        message_start()
        + text_block(0, "a", "b")
        + tool_block(1, '{"a":', "1}")
        + thinking_block(2, "x")
        + message_end()
    )
    _, calls = read(data, batches=True)
    assert [call for call in calls if call[0] in ("batch", "text", "input", "thinking")] == [
        ("batch", 0, "ab"),
        ("batch", 1, '{"a":1}'),
        ("batch", 2, "x"),
    ]


def test_the_input_of_a_custom_tool_is_its_text():
    data = message_start() + tool_block(0, '{"inp', 'ut": "one\\ntwo"}', name="run") + message_end()
    _, calls = read(data, custom_tools=frozenset({"run"}), batches=True)
    assert "".join(call[2] for call in calls if call[0] == "input") == "one\ntwo"


@pytest.mark.parametrize(("initial", "expected"), [({}, "{}"), (None, "{}"), ({"a": 1}, '{"a":1}')])
def test_a_call_without_deltas_has_the_input_of_its_start(initial: Any, expected: str):
    block = block_start(0, type="tool_use", id="toolu_1", name="look", input=initial)
    _, calls = read(message_start(), block, block_stop(0), message_end())
    assert ("input", 0, expected) in calls


def test_a_call_that_is_begun_twice_is_told_once():
    start = block_start(0, type="tool_use", id="toolu_1", name="look", input={})
    _, calls = read(message_start(), start, start, block_stop(0), tool_block(1, '{"a":1}'), message_end())
    assert [call for call in calls if call[0] == "block"] == [("block", 0, "tool_use")]
    assert [call for call in calls if call[0] == "input"] == [("input", 0, "{}")]


def test_blocks_in_the_start_of_the_message_are_told_whole():
    whole = [{"type": "text", "text": "A"}, {"type": "tool_use", "id": "toolu_1", "name": "look", "input": {"a": 1}}]
    _, calls = read(message_start(content=whole), tool_block(2, id_="toolu_1"), tool_block(3, id_="toolu_2"))
    assert calls[1:7] == [
        ("block", 0, "text"),
        ("text", 0, "A"),
        ("end of block", 0, ""),
        ("block", 1, "tool_use"),
        ("input", 1, '{"a":1}'),
        ("end of block", 1, ""),
    ]
    assert calls[7:8] == [("block", 2, "tool_use")]


def test_the_same_start_within_a_block_is_ignored():
    open_block = block_start(0, type="text", text="a")
    reading, calls = read(message_start(), open_block, message_start(), delta(0, type="text_delta", text="b"))
    assert calls[-1] == ("text", 0, "b")
    assert reading.status == "reading"


def test_another_message_within_a_block_is_a_failure():
    reading, _ = read(message_start(), block_start(0, type="text", text="a"), message_start("msg_2"))
    with pytest.raises(UpstreamDisconnected):
        reading.close()


def test_another_message_between_blocks_goes_on_with_the_reply():
    _, calls = read(message_start(), text_block(0, "a"), message_start("msg_2"), text_block(0, "b"), message_end())
    assert [call for call in calls if call[0] in ("start", "text")] == [
        ("start", "msg_1", "claude-x"),
        ("text", 0, "a"),
        ("text", 1, "b"),
    ]


def test_a_stream_without_a_message_start_begins_with_its_first_block():
    _, calls = read(text_block(0, "x"), message_end())
    assert calls[:3] == [("start", "", ""), ("block", 0, "text"), ("text", 0, "x")]


def test_counters_replace_earlier_ones_and_absent_ones_keep_them():
    reading, _ = read(
        message_start(input_tokens=5, cache_read_input_tokens=7, output_tokens=1),
        event("message_delta", delta={}, usage={"output_tokens": 3, "input_tokens": None}),
        message_end(output_tokens=9, input_tokens=6),
    )
    usage = reading.usage
    assert usage is not None
    assert (usage.input_tokens, usage.cache_read_input_tokens, usage.output_tokens) == (6, 7, 9)


def test_usage_that_upstream_has_not_told_is_absent():
    reading, _ = read(event("message_start", message={"id": "msg_1"}), event("message_stop"))
    assert reading.usage is None


def test_the_usage_of_a_reply_with_pauses_is_the_sum_of_its_messages():
    reading, _ = read(
        message_start(input_tokens=1, output_tokens=1), message_end("pause_turn", output_tokens=2), server_tools=True
    )
    assert reading.paused
    reading.resume()
    reading.feed(message_start(input_tokens=10) + message_end(output_tokens=20))
    assert reading.status == "finished"
    usage = reading.usage
    assert usage is not None
    assert (usage.input_tokens, usage.output_tokens) == (11, 22)


def test_pauses_have_a_bound():
    reading, calls = read(message_start(), server_tools=True)
    for _ in range(MAX_PAUSES):
        reading.feed(message_end("pause_turn"))
        assert reading.paused
        reading.resume()
    reading.feed(message_end("pause_turn"))
    assert (reading.paused, calls[-1]) == (False, ("end", "pause_turn", None))


def test_a_pause_that_cannot_be_continued_is_an_end():
    reading, _ = read(message_start(), text_block(0, "x"), message_end("pause_turn"))
    assert reading.status == "finished"


@pytest.mark.parametrize(
    "data",
    [
        b"data: {\n\n", b"data: [1]\n\n", b"data: \xff\n\n", b'data: {"type":5}\n\n',
        b'data: {"type":"content_block_delta","index":"x"}\n\n',
        b'data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"\\ud800"}}\n\n',
        b'data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":5}}\n\n',
        b'data: {"type":"content_block_start","index":0,"content_block":{"type":"text","text":5}}\n\n',
        b'data: {"type":"message_start","message":{"id":"msg_9","content":[5]}}\n\n',
        b"data: " + b"[" * 100_000 + b"\n\n",
    ],
)  # fmt: skip
@pytest.mark.parametrize("server_tools", [False, True])
def test_an_event_that_cannot_be_read_fails_the_reply(data: bytes, server_tools: bool):
    reading, calls = read(message_start(), data, text_block(0, "x"), message_end(), server_tools=server_tools)
    assert [call[0] for call in calls] == ["start"]
    with pytest.raises(UpstreamDisconnected, match="cannot be read"):
        reading.close()


@pytest.mark.parametrize(
    "data",
    [
        b'data: {"type":"new_event","index":"x"}\n\n',
        b'data: {"type":"content_block_delta","index":0}\n\n',
        delta(0, type="new_delta", text=5),
        block_start(3, type="new_block", id=None, text=5) + delta(3, type="text_delta", text="x") + block_stop(3),
        block_stop(9),
        b'data: {"type":"ping"}\n\n',
    ],
)
@pytest.mark.parametrize("server_tools", [False, True])
def test_what_is_of_an_unknown_type_is_ignored(data: bytes, server_tools: bool):
    reading, calls = read(message_start(), data, text_block(0, "x"), message_end(), server_tools=server_tools)
    assert [call[0] for call in calls if "new_block" not in call][-4:-1] == ["block", "text", "end of block"]
    reading.close()


@pytest.mark.parametrize(
    "lost",
    [
        {"type": "text_delta", "text": "lost"},
        {"type": "thinking_delta", "thinking": "lost"},
        {"type": "input_json_delta", "partial_json": "{}"},
    ],
)
@pytest.mark.parametrize("before", [b"", text_block(0, "whole")])
def test_content_of_no_open_block_fails_the_reply(lost: dict[str, str], before: bytes):
    reading, calls = read(message_start(), before, delta(0, **lost), text_block(1, "more"), message_end())
    assert ("text", 1, "more") not in calls
    with pytest.raises(UpstreamDisconnected, match="outside of a block"):
        reading.close()


def test_only_message_stop_ends_a_reply():
    for data in (b"", event("message_stop"), message_start(), message_start() + text_block(0, "x")):
        reading, _ = read(data)
        with pytest.raises(UpstreamDisconnected):
            reading.close()


def test_a_failure_of_upstreams_ends_the_reading():
    error = event("error", error={"type": "api_error", "message": "Oops"})
    reading, calls = read(message_start(), error, text_block(0, "more"), message_end())
    assert calls == [("start", "msg_1", "claude-x")]
    assert reading.over
    with pytest.raises(ProxyError, match="Oops"):
        reading.close()
    assert read(event("error"))[0].failure is not None


def test_a_reply_that_the_handler_cuts_reads_nothing_more():
    class Cutting(ReplyHandler):
        def on_text(self, block: Block, text: str) -> None:
            reading.cut_short()

    reading = ReplyReader(ReplyContext(), Cutting())
    reading.feed(message_start() + text_block(0, "x", "y"))
    assert (reading.cut, reading.over) == (True, True)
    reading.close()
    assert reading.remembered("m", b"") is None
