import base64

import pytest

from claude_proxy.simulator.signatures import prefix_of, read_signature, redact, same_model, same_text, sign

MODEL = "claude-opus-5"
PREFIX = b"0123456789ab"
BODY = {"system": "s", "messages": [{"role": "user", "content": "Hi"}]}


def thinking(signature: str) -> dict[str, str]:
    return {"type": "thinking", "thinking": "text", "signature": signature}


def redacted(data: str) -> dict[str, str]:
    return {"type": "redacted_thinking", "data": data}


@pytest.mark.parametrize("leading", [True, False])
def test_a_signature_says_what_was_signed(leading):
    for block in (
        thinking(sign(MODEL, "text", PREFIX, leading=leading)),
        redacted(redact(MODEL, "text", PREFIX, leading=leading)),
    ):
        signed = read_signature(block)
        assert signed
        assert same_model(signed, MODEL)
        assert not same_model(signed, "claude-opus-4-8")
        assert same_text(signed, "text")
        assert not same_text(signed, "other")
        assert (signed.prefix, signed.leading) == (PREFIX, leading)


def test_a_signature_and_redacted_data_are_not_exchangeable():
    assert read_signature(redacted(sign(MODEL, "text", PREFIX, leading=True))) is None
    assert read_signature(thinking(redact(MODEL, "text", PREFIX, leading=True))) is None


@pytest.mark.parametrize("wrong", ["", "no base64!", "é", "c2ln", base64.b64encode(b"simulated thinking\0").decode()])
def test_what_was_not_made_here_is_not_read(wrong):
    assert read_signature(thinking(wrong)) is None
    assert read_signature(redacted(wrong)) is None


def test_a_changed_signature_is_not_read():
    packed = bytearray(base64.b64decode(sign(MODEL, "text", PREFIX, leading=True)))
    for index in range(len(packed)):
        changed = packed.copy()
        changed[index] ^= 1
        assert read_signature(thinking(base64.b64encode(changed).decode())) is None


def test_a_prefix_is_the_conversation_without_what_may_change():
    cached = {"type": "text", "text": "Hi", "cache_control": {"type": "ephemeral"}}
    same = [
        BODY,
        BODY | {"system": [{"type": "text", "text": "s", "cache_control": None}]},
        BODY | {"messages": [{"role": "user", "content": [cached]}]},
        BODY | {"messages": [*BODY["messages"], {"role": "assistant", "content": [thinking("x")]}]},
    ]
    assert len({prefix_of(body).digest() for body in same}) == 1


@pytest.mark.parametrize(
    "change",
    [
        {"system": "t"},
        {"tools": [{"name": "t"}]},
        {"messages": [{"role": "user", "content": "Ho"}]},
        {"messages": [{"role": "assistant", "content": "Hi"}]},
    ],
)
def test_a_prefix_changes_with_the_conversation(change):
    assert prefix_of(BODY | change).digest() != prefix_of(BODY).digest()
