from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from claude_proxy.errors import UpstreamDisconnected
from claude_proxy.wire.sse import COMMENT, DONE, EventDecoder, data_frame, match_event


def decoded(*reads: bytes) -> list[bytes]:
    decoder = EventDecoder()
    return [event for read in reads for event in decoder.feed(read)]


def one_byte_at_a_time(stream: bytes) -> list[bytes]:
    return [bytes([byte]) for byte in stream]


def plain(stream: bytes) -> list[bytes]:
    """The rules of the HTML standard, word by word, over the whole stream: the oracle."""
    text = stream.removeprefix(b"\xef\xbb\xbf").replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    events: list[bytes] = []
    data: list[bytes] = []
    for line in text.split(b"\n")[:-1]:
        field, _, value = line.partition(b":")
        if not line:
            events += [b"\n".join(data)] if data else []
            data = []
        elif field == b"data":
            data.append(value.removeprefix(b" "))
    return events


@pytest.mark.parametrize(
    ("stream", "events"),
    [
        (b"", []),
        (b"data: a\n\n", [b"a"]),
        (b"data:a\n\n", [b"a"]),
        (b"data:  a \n\n", [b" a "]),
        (b"event: x\nid: 1\nretry: 2\ndata: a\n\n", [b"a"]),
        (b"data: a\r\n\r\ndata: b\r\rdata: c\n\n", [b"a", b"b", b"c"]),
        (b"data: a\ndata: b\n\n", [b"a\nb"]),
        (b"data\n\n", [b""]),
        (b"data:\ndata\n\n", [b"\n"]),
        (b": comment\n\ndata: a\n: in between\n\n", [b"a"]),
        (b"event: ping\n\n", []),
        (b"database: a\n\ndata : a\n\n", []),
        (b"\n\n\ndata: a\n\n\n\n", [b"a"]),
        (b"\xef\xbb\xbfdata: a\n\n", [b"a"]),
        (b"\xef\xbb\xbf\xef\xbb\xbfdata: a\n\n", []),
        (b"data: \xc3\xa9\xe2\x82\xac\n\n", ["é€".encode()]),
        (b"data: unfinished", []),
        (b"data: unfinished\n", []),
        (b"\r\ndata: a\r\n\r\n", [b"a"]),
    ],
)
def test_a_stream_is_read_by_the_standards_rules(stream: bytes, events: list[bytes]):
    assert decoded(stream) == events
    assert decoded(*one_byte_at_a_time(stream)) == events
    assert plain(stream) == events


def test_events_that_arrive_together_leave_together():
    assert EventDecoder().feed(b"data: a\n\ndata: b\n\ndata: c") == [b"a", b"b"]


def test_an_event_leaves_as_soon_as_its_blank_line_has_come():
    decoder = EventDecoder()
    assert decoder.feed(b"data: a\n") == []
    assert decoder.feed(b"\n") == [b"a"]


def test_a_lone_carriage_return_ends_an_event_without_waiting_for_more():
    assert EventDecoder().feed(b"data: a\r\r") == [b"a"]


LINES = st.sampled_from(
    [b"data: a", b"data:", b"data", b"data: \xe2\x82\xac", b": c", b"event: e", b"", b"", b"\xef\xbb\xbfdata: x", b"d"]
)
ENDS = st.sampled_from([b"\n", b"\r\n", b"\r"])
STREAMS = st.lists(st.tuples(LINES, ENDS)).map(lambda lines: b"".join(line + end for line, end in lines))


@given(stream=st.one_of(STREAMS, st.binary(max_size=40)), cuts=st.lists(st.integers(0, 200)))
def test_any_split_of_the_bytes_gives_the_same_events(stream: bytes, cuts: list[int]):
    places = [0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)]
    reads = [stream[start:end] for start, end in pairwise(places)]
    assert decoded(*reads) == plain(stream)


def test_a_giant_line_in_small_reads_is_joined_once():
    """Joining on every read would copy some 32 GB here, and no test run would end."""
    piece = b"x" * 1024
    decoder = EventDecoder(limit=16 * 1024 * 1024)
    decoder.feed(b"data: ")
    for _ in range(8 * 1024):
        assert decoder.feed(piece) == []
    assert decoder.feed(b"\n\n") == [piece * 8 * 1024]


@pytest.mark.parametrize(
    "reads",
    [
        pytest.param([b"data: " + b"x" * 101 + b"\n"], id="one line"),
        pytest.param([b"data: ", *[b"x" * 10] * 20], id="a line without an end"),
        pytest.param([b"data: 0123456789\n"] * 20, id="many lines"),
        pytest.param([b"data:\n" * 200], id="many empty lines"),
        pytest.param([b": ", *[b"x" * 10] * 20], id="a comment without an end"),
        pytest.param([b"data: " + b"x" * 60 + b"\n", b"data: " + b"x" * 60], id="a line and a piece"),
    ],
)
def test_what_waits_for_its_end_has_a_bound(reads: list[bytes]):
    decoder = EventDecoder(limit=100)
    with pytest.raises(UpstreamDisconnected):
        list(map(decoder.feed, reads))


def test_the_bound_is_per_event():
    decoder = EventDecoder(limit=100)
    for _ in range(20):
        assert decoder.feed(b"data: " + b"x" * 90 + b"\n\n") == [b"x" * 90]


def test_a_frame_is_read_back_as_its_payload():
    assert decoded(data_frame(b'{"a":1}') + COMMENT + DONE) == [b'{"a":1}', b"[DONE]"]


@pytest.mark.parametrize(
    ("text", "data"),
    [
        (b"event: ping\ndata: {}\n\n", b"{}"),
        (b'event: x\ndata: {"a": "b"}  \n\n', b'{"a": "b"}  '),
        (b"event: ping\ndata:{}\n\n", None),
        (b"data: {}\n\n", None),
        (b"event: ping\ndata: {}\n", None),
        (b"event: ping\r\ndata: {}\r\n\r\n", None),
        (b"event: ping\ndata: {\ndata: }\n\n", None),
        (b"event: ping\nid: 1\ndata: {}\n\n", None),
        (b": ping\n\n", None),
    ],
)
def test_a_whole_event_in_its_usual_form_is_read_at_once(text: bytes, data: bytes | None):
    for before, after in ((b"", b""), (b"data: x\n\n", b""), (b"", b"data: x\n\n")):
        found = match_event(before + text + after, len(before))
        assert (found and found[1]) == data
        assert found is None or found.end() == len(before + text)
    if data is not None:
        assert EventDecoder().feed(text) == [data]


def test_a_byte_order_mark_is_dropped_at_the_very_beginning_alone():
    mark = b"\xef\xbb\xbf"
    fresh, decoder = EventDecoder(), EventDecoder()
    assert decoder.feed(mark[:2]) == []
    assert (fresh.between_events, decoder.between_events) == (True, False)
    assert decoder.feed(mark[2:] + b"data: 1\n\n") == [b"1"]
    assert decoder.feed(mark + b"data: 2\n\n") == []
    passed_by = EventDecoder()
    passed_by.passed_by()
    assert passed_by.feed(mark + b"data: 1\n\n") == []
