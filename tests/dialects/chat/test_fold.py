import json
from typing import Any

import pytest

from claude_proxy.dialects.chat.context import ChatReplyContext
from claude_proxy.dialects.chat.fold import CompletionFold, completion
from claude_proxy.errors import UpstreamDisconnected
from tests.dialects.chat.case import WHOLE_ANSWERS, Case
from tests.support.messages_stream import event


def answered(name: str, **context: Any) -> CompletionFold:
    fold = CompletionFold(ChatReplyContext(model="m", **context))
    fold.feed(Case(name).read("upstream.sse"))
    fold.close()
    return fold


def test_several_folds_are_choices_of_one_completion():
    folds = [answered("text"), answered("text")]
    body = json.loads(completion(folds, ChatReplyContext(model="m"), created=7))
    assert (body["created"], body["model"], len(body["choices"])) == (7, "m", 2)
    assert body["usage"]["total_tokens"] == 2 * 32


def test_usage_is_left_out_where_a_part_of_it_is_not_known():
    untold = CompletionFold(ChatReplyContext(model="m"))
    untold.feed(event("message_start", message={"id": "msg_1"}) + event("message_stop"))
    folds = [answered("text"), untold]
    assert "usage" not in json.loads(completion(folds, ChatReplyContext(model="m"), created=7))


def test_the_tier_is_told_to_who_asked_for_one():
    context = ChatReplyContext(model="m", echo_service_tier=True)
    assert json.loads(completion([answered("text")], context, created=7))["service_tier"] == "default"
    fast = CompletionFold(context)
    fast.feed(Case("text").read("upstream.sse").replace(b'"service_tier":"standard"', b'"speed":"fast"'))
    assert json.loads(completion([fast], context, created=7))["service_tier"] == "fast"
    untold = CompletionFold(context)
    untold.feed(Case("text").read("upstream.sse").replace(b'"service_tier":"standard"', b'"speed":null'))
    assert "service_tier" not in json.loads(completion([untold], context, created=7))


def test_an_answer_that_is_not_whole_is_none():
    fold = CompletionFold(ChatReplyContext(model="m"))
    fold.feed(Case("cut").read("upstream.sse"))
    with pytest.raises(UpstreamDisconnected):
        fold.close()


@pytest.mark.parametrize("name", WHOLE_ANSWERS)
def test_every_case_folds_to_its_completion_byte_by_byte(name: str):
    case = Case(name)
    assert case.folded(case.upstream(), lambda data: (data[at : at + 1] for at in range(len(data)))) == case.json(
        "completion.json"
    )
