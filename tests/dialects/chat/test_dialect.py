import json

import pytest

from claude_proxy.dialects.chat.dialect import CHAT
from claude_proxy.errors import InvalidRequest
from claude_proxy.options import Options
from claude_proxy.translate.models import model_for

REPLY = (
    b'data: {"type":"message_start","message":{"id":"msg_1","usage":{"input_tokens":3}}}\n\n'
    b'data: {"type":"content_block_start","index":0,"content_block":{"type":"text","text":"Hi"}}\n\n'
    b'data: {"type":"content_block_stop","index":0}\n\n'
    b'data: {"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":2}}\n\n'
    b'data: {"type":"message_stop"}\n\n'
)


def translated(**fields: object):
    body = {"model": "mine", "messages": [{"role": "user", "content": "hi"}], **fields}
    request = CHAT.read(json.dumps(body).encode())
    return request, request.translate(model=model_for("claude-sonnet-5", {}), options=Options(), memory=None)


def test_a_request_says_what_the_server_needs_to_know() -> None:
    request, plan = translated(stream=True, n=2, seed=1)
    assert (request.model, request.stream) == ("mine", True)
    (translation,) = plan.translations
    assert (translation.choices, translation.warnings) == (2, ("seed",))


def test_a_body_that_is_no_request_is_refused() -> None:
    with pytest.raises(InvalidRequest):
        CHAT.read(b"{}")


def test_a_single_choice_has_upstreams_id_and_several_share_ours() -> None:
    for count, id_ in ((1, "chatcmpl-1"), (2, "chatcmpl-own")):
        _, plan = translated(stream=True, n=count)
        answer = plan.streamed(id_="own", created=1)
        assert len(answer.choices) == count
        for choice in answer.choices:
            assert json.loads(choice.feed(REPLY).split(b"\n\n")[0].removeprefix(b"data: "))["id"] == id_
            choice.close()
            assert choice.reader.over


def test_an_answer_ends_with_done_and_a_failed_one_with_an_error() -> None:
    _, plan = translated(stream=True)
    answer = plan.streamed(id_="own", created=1)
    assert answer.end(None) == b"data: [DONE]\n\n"
    assert answer.keepalive() == b": ping\n\n"


def test_choices_are_folded_into_one_body() -> None:
    _, plan = translated(n=2)
    answer = plan.folded(id_="own", created=1)
    for choice in answer.choices:
        choice.feed(REPLY)
        choice.close()
        assert choice.usage is not None
    body = json.loads(answer.body())
    assert [choice["message"]["content"] for choice in body["choices"]] == ["Hi", "Hi"]
