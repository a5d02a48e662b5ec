import msgspec
from msgspec import UNSET

from claude_proxy.wire.completions_reply import Completion, TextChoice


def test_usage_that_is_unknown_is_left_out_and_all_else_is_written():
    choice = TextChoice("t", 0, None, None)
    written = msgspec.json.decode(msgspec.json.encode(Completion("cmpl-1", "text_completion", 5, "m", [choice])))
    assert written["choices"] == [{"text": "t", "index": 0, "logprobs": None, "finish_reason": None}]
    assert "usage" not in written
    assert Completion("i", "o", 0, "m", []).usage is UNSET
