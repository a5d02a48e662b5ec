import json

import pytest

from claude_proxy.translate.arguments import object_input, text_input
from tests.translate.middle import draft, warnings


@pytest.mark.parametrize(
    ("arguments", "expected", "warned"),
    [
        ('{"n": 1.50}', '{"n": 1.50}', 0),
        ("", "{}", 0),
        (None, "{}", 0),
        (json.dumps('{"a":1}'), '{"a":1}', 0),
        ("[1]", '{"_raw":"[1]"}', 1),
        ("{broken", '{"_raw":"{broken"}', 1),
        ('"text"', '{"_raw":"text"}', 1),
    ],
)
def test_the_input_of_a_call_is_always_an_object(arguments: str | None, expected: str, warned: int):
    made = draft()
    assert bytes(object_input(made, arguments, param="input[1].arguments")) == expected.encode()
    assert [param for param, _ in warnings(made)] == ["input[1].arguments"] * warned


def test_arguments_that_are_nested_too_deeply_are_sent_as_text():
    arguments = '{"a":' + "[" * 600 + "]" * 600 + "}"
    made = draft()
    assert json.loads(bytes(object_input(made, arguments, param="x"))) == {"_raw": arguments}


def test_free_text_is_wrapped():
    assert bytes(text_input('say "hi"')) == b'{"input":"say \\"hi\\""}'
    assert bytes(text_input(None)) == b'{"input":""}'
