from msgspec import Raw

from claude_proxy.translate.memory import TEXT, RememberedTurn
from claude_proxy.translate.turn_recorder import MAX_THINKING, TurnRecorder
from claude_proxy.wire.anthropic import RedactedThinkingBlock, ThinkingBlock


def test_a_turn_is_its_thinking_its_text_and_its_calls_in_order():
    recorder = TurnRecorder()
    recorder.thinking(0, "one ")
    recorder.thinking(0, "two")
    recorder.thinking_ended(0, "s")
    recorder.redacted("data")
    recorder.text()
    recorder.text()
    recorder.call("a")
    recorder.call("b")
    parts = (ThinkingBlock("one two", "s"), RedactedThinkingBlock("data"), TEXT, "a", "b")
    assert recorder.turn("m", b"p") == RememberedTurn("m", b"p", parts, ("a", "b"))


def test_a_turn_without_calls_or_without_signed_thinking_is_none():
    recorder = TurnRecorder()
    recorder.thinking(0, "unsigned")
    recorder.thinking_ended(0, "")
    recorder.call("a")
    assert recorder.turn("m", b"") is None
    recorder = TurnRecorder()
    recorder.redacted("data")
    assert recorder.turn("m", b"") is None


def test_a_turn_with_two_texts_is_none_because_a_client_joins_them():
    recorder = TurnRecorder()
    recorder.redacted("data")
    recorder.text()
    recorder.call("a")
    recorder.text()
    assert recorder.texts == 2
    assert recorder.turn("m", b"") is None


def test_more_thinking_than_the_bound_is_not_remembered():
    recorder = TurnRecorder()
    for _ in range(3):
        recorder.thinking(0, "x" * (MAX_THINKING // 2))
    recorder.thinking_ended(0, "s")
    recorder.call("a")
    assert recorder.turn("m", b"") is None


def test_a_collected_turn_has_its_blocks_and_the_length_that_a_client_joins_its_texts_to():
    recorder = TurnRecorder()
    recorder.other(only_collected=True)
    recorder.text()
    recorder.call("a")
    turn = recorder.collected_turn("m", b"", [Raw(b"{}")], text_length=10)
    assert turn == RememberedTurn("m", b"", (Raw(b"{}"),), ("a",), text_length=12)


def test_a_collected_turn_that_a_client_can_send_back_itself_is_none():
    recorder = TurnRecorder()
    recorder.other(only_collected=False)
    recorder.call("a")
    assert recorder.collected_turn("m", b"", [Raw(b"{}")], text_length=0) is None
