import msgspec

from claude_proxy.wire.chat_reply import (
    AnsweredCall,
    AnsweredFunction,
    AnsweredMessage,
    ChatCompletion,
    Choice,
    ChoiceDelta,
    ErrorBody,
    ErrorDetail,
    Model,
    ModelList,
)


def written(value: object) -> object:
    return msgspec.json.decode(msgspec.json.encode(value))


def test_an_error_has_all_four_keys():
    shown = written(ErrorBody(ErrorDetail("no", "invalid_request_error", None, None)))
    assert shown == {"error": {"message": "no", "type": "invalid_request_error", "param": None, "code": None}}


def test_a_message_has_no_key_for_calls_it_does_not_make():
    shown = written(AnsweredMessage("assistant", None, None, []))
    assert shown == {"role": "assistant", "content": None, "refusal": None, "annotations": []}


def test_a_call_has_its_own_body_only():
    shown = written(AnsweredCall("toolu_1", "function", function=AnsweredFunction("look", "{}")))
    assert shown == {"id": "toolu_1", "type": "function", "function": {"name": "look", "arguments": "{}"}}


def test_usage_that_is_not_known_is_absent():
    choice = Choice(0, AnsweredMessage("assistant", "", None, []), "stop", None)
    shown = written(ChatCompletion("chatcmpl-1", "chat.completion", 1, "claude", [choice], None))
    assert isinstance(shown, dict)
    assert "usage" not in shown
    assert shown["system_fingerprint"] is None


def test_a_delta_says_only_what_is_new_and_may_say_null():
    assert written(ChoiceDelta()) == {}
    assert written(ChoiceDelta(content=None)) == {"content": None}


def test_a_model_keeps_quiet_about_limits_nobody_told():
    shown = written(ModelList("list", [Model("claude", "model", 0, "anthropic")]))
    assert shown == {
        "object": "list",
        "data": [{"id": "claude", "object": "model", "created": 0, "owned_by": "anthropic"}],
    }
