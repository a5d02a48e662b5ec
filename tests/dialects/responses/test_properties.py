"""Properties over generated streams: any cut gives the same response, and folding gives the streamed one."""

import json
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from tests.dialects.chat.case import CREATED
from tests.dialects.chat.test_properties import BLOCKS, REASONS, block, bounded, event
from tests.dialects.responses.case import OWN_ID, events_in, translated_body
from tests.dialects.responses.sdk import assert_valid_event, assert_valid_response
from tests.dialects.responses.test_cases import folded_items, merged

REQUEST = {
    "model": "claude-opus-4-8",
    "input": "Hi",
    "tools": [{"type": "function", "name": "look"}, {"type": "custom", "name": "patch"}, {"type": "web_search"}],
    "include": ["reasoning.encrypted_content"],
}


@bounded
@given(BLOCKS, REASONS, st.booleans(), st.lists(st.integers(0, 4000), max_size=12))
def test_any_cut_of_a_stream_gives_the_same_response_and_it_is_the_folded_one(
    blocks: list[tuple[str, list[str]]], reason: str | None, json_mode: bool, cuts: list[int]
):
    data = event("message_start", message={"id": "msg_1", "model": "m", "usage": {"input_tokens": 3}})
    for number, (kind, pieces) in enumerate(blocks):
        data += block(kind, pieces, number, number)
    data += event("message_delta", delta={"stop_reason": reason}, usage={"output_tokens": 9}) + event("message_stop")
    places = [0, *sorted(place % len(data) for place in cuts), len(data)]
    request = {**REQUEST, "text": {"format": {"type": "json_object" if json_mode else "text"}}}
    translated = translated_body(json.dumps(request).encode())

    whole, cut = (translated.streamed(id_=OWN_ID, created=CREATED) for _ in range(2))
    events = events_in(whole.feed(data) + whole.end(whole.usage))
    reads = [data[start:end] for start, end in pairwise(places)]
    assert merged(events_in(b"".join(map(cut.feed, reads)) + cut.end(cut.usage))) == merged(events)
    fold = translated.folded(id_=OWN_ID, created=CREATED)
    for read in reads:
        fold.feed(read)
    fold.close()
    body = json.loads(fold.body())
    for each in events:
        assert_valid_event(each)
    assert_valid_response(body)
    assert events[-1]["response"] == body
    assert folded_items(events) == body["output"]
