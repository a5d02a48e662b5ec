"""Cuts the bytes of a Messages stream into events, and runs of deltas into batches, for one consumer.

There are three ways through the bytes, the cheapest first; each hands over exactly what the last one would:

1. a run of deltas of the open block, if the consumer accepts a batch now (`wire/delta_batches.py`);
2. one event in the usual form: a name, one line of data, a blank line (`wire/sse.match_event`);
3. the general decoder (`wire/sse.EventDecoder`), for everything else and for events that are cut between two reads.

The first two are tried only where an event begins, and only in bytes without `\\r`.
"""

from typing import Protocol

from claude_proxy.wire.delta_batches import DELTA, DeltaPattern, match_run
from claude_proxy.wire.sse import EventDecoder, match_event


class EventConsumer(Protocol):
    """Takes what the framer finds, in the order of the stream, while the framer runs."""

    def batch_pattern(self) -> DeltaPattern | None:
        """What a batch may consist of now; asked once after each event."""

    def on_batch(self, strings: list[bytes]) -> None:
        """Take a batch of deltas: their texts as JSON strings, quotes included."""

    def on_event(self, data: bytes) -> None:
        """Take the data of one event."""


class EventFramer:
    """Feeds `consumer` from the bytes of one stream, which may be cut anywhere."""

    def __init__(self, consumer: EventConsumer) -> None:
        self._consumer = consumer
        self._decoder = EventDecoder()
        self._pattern: DeltaPattern | None = None
        self._pattern_is_known = False

    def feed(self, data: bytes) -> None:
        """Hand over each event that `data` completes. Raises UpstreamDisconnected for an event without end."""
        pos, size = 0, len(data)
        fast = b"\r" not in data
        at_event = fast and self._decoder.between_events
        while pos < size:
            if at_event:
                if data.startswith(DELTA, pos) and (end := self._batch(data, pos)):
                    pos = end
                    continue
                if (event := match_event(data, pos)) is not None:
                    if not pos:
                        self._decoder.passed_by()
                    pos = event.end()
                    self._event(event[1])
                    continue
            end = data.find(b"\n\n", pos) + 2
            text = data[pos:] if end < 2 else data[pos:end]
            for found in self._decoder.feed(text):
                self._event(found)
            pos += len(text)
            at_event = fast and self._decoder.between_events

    def _batch(self, data: bytes, pos: int) -> int:
        """Hand over the batch that begins at `pos`; the offset behind it, 0 if there is none."""
        if not self._pattern_is_known:
            self._pattern = self._consumer.batch_pattern()
            self._pattern_is_known = True
        if self._pattern is None or (found := match_run(data, pos, self._pattern)) is None:
            return 0
        strings, end = found
        self._consumer.on_batch(strings)
        return end

    def _event(self, data: bytes) -> None:
        self._pattern_is_known = False
        self._consumer.on_event(data)
