import random

import pytest

from claude_proxy.errors import UpstreamDisconnected
from claude_proxy.wire.delta_batches import DeltaPattern, delta_pattern
from claude_proxy.wire.event_framer import EventFramer
from claude_proxy.wire.sse import MAX_EVENT
from tests.support.messages_stream import delta, event


class Consumer:
    """Keeps what it gets; a batch is taken for text deltas of block 0, if at all."""

    def __init__(self, *, batches: bool) -> None:
        self.found: list[bytes] = []
        self.patterns_asked = 0
        self._batches = batches

    def batch_pattern(self) -> DeltaPattern | None:
        self.patterns_asked += 1
        return delta_pattern("text", 0) if self._batches else None

    def on_batch(self, strings: list[bytes]) -> None:
        self.found += [b"batch " + string for string in strings]

    def on_event(self, data: bytes) -> None:
        self.found.append(data)


def framed(data: bytes, size: int, *, batches: bool = False) -> list[bytes]:
    consumer = Consumer(batches=batches)
    framer = EventFramer(consumer)
    for pos in range(0, len(data), size):
        framer.feed(data[pos : pos + size])
    return consumer.found


STREAM = event("one") + b": comment\n\n" + event("two", a="\n") + b"data: x\ndata: y\n\n" + event("three")


@pytest.mark.parametrize("size", [1, 2, 7, 50, 1000])
@pytest.mark.parametrize("line_end", [b"\n", b"\r\n", b"\r"])
def test_events_are_the_same_however_the_bytes_are_cut(size: int, line_end: bytes):
    found = framed(STREAM.replace(b"\n", line_end), size)
    assert found == [b'{"type":"one"}', b'{"type":"two","a":"\\n"}', b"x\ny", b'{"type":"three"}']


def test_batches_come_in_their_place_between_events():
    texts = b"".join(delta(0, type="text_delta", text=text) for text in "ab")
    found = framed(event("one") + texts + event("two") + texts, 10_000, batches=True)
    assert found == [b'{"type":"one"}', b'batch "a"', b'batch "b"', b'{"type":"two"}', b'batch "a"', b'batch "b"']


def test_the_pattern_is_asked_for_once_between_two_events():
    consumer = Consumer(batches=True)
    framer = EventFramer(consumer)
    for _ in range(5):
        framer.feed(delta(0, type="text_delta", text="a"))
    assert consumer.patterns_asked == 1
    framer.feed(event("one") + delta(0, type="text_delta", text="a"))
    assert consumer.patterns_asked == 2


@pytest.mark.parametrize("seed", range(20))
def test_random_cuts_change_nothing_but_what_comes_as_a_batch(seed: int):
    generator = random.Random(seed)
    parts = [delta(0, type="text_delta", text=text) for text in generator.choices(["a", "\n", "é", "𝄞"], k=20)]
    parts.insert(generator.randrange(20), STREAM)
    data = b"".join(parts)
    plain = framed(data, len(data))
    assert framed(data, generator.randrange(1, 40)) == plain
    batched = framed(data, generator.randrange(1, 400), batches=True)
    assert len(batched) == len(plain)


def test_an_event_without_end_is_a_failure():
    with pytest.raises(UpstreamDisconnected):
        framed(b"data: " + bytes(MAX_EVENT + 1), MAX_EVENT)
