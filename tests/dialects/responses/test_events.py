from claude_proxy.dialects.responses.events import DeltaTemplate, EventWriter
from tests.dialects.responses.case import events_in


def test_events_are_numbered_over_all_kinds_and_taken_once():
    writer = EventWriter()
    template = DeltaTemplate("response.output_text.delta", item_id="msg_1", logprobs=())
    writer.event("response.created", response=b'{"id":"resp_1"}')
    writer.delta(template, b"a\\n")
    first = writer.take()
    writer.delta(template, b"b")
    assert events_in(first + writer.take()) == [
        {"type": "response.created", "sequence_number": 0, "response": {"id": "resp_1"}},
        {
            "type": "response.output_text.delta",
            "sequence_number": 1,
            "item_id": "msg_1",
            "logprobs": [],
            "delta": "a\n",
        },
        {"type": "response.output_text.delta", "sequence_number": 2, "item_id": "msg_1", "logprobs": [], "delta": "b"},
    ]
    assert writer.take() == b""
