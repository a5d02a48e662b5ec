import json
import random
from collections.abc import Callable

import pytest

from claude_proxy.translate.text_filters import MAX_PREAMBLE, CustomInput, JsonObjectFinder, StopFinder, TextFilter

SIZES = (1, 2, 3, 5, 1000)


def passed(make: Callable[[], TextFilter], text: str) -> str:
    """What a filter lets through; the same for every size of the pieces."""
    found = set()
    for size in SIZES:
        text_filter = make()
        pieces = [text_filter.feed(text[place : place + size]) for place in range(0, len(text), size)]
        found.add("".join(pieces) + text_filter.close())
    assert len(found) == 1
    return found.pop()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("one\n\ntwo", "one"),
        ("one\n two\n", "one\n two\n"),
        ("\n\n", ""),
        ("one\t\n\ntwo", "one"),
        ("nothing at all", "nothing at all"),
    ],
)
def test_text_ends_before_the_first_stop(text: str, expected: str):
    assert passed(lambda: StopFinder(("\n\n", "\t\n")), text) == expected


def test_only_what_may_become_a_stop_is_held_back():
    finder = StopFinder(("\n\n\n",))
    assert [finder.feed(text) for text in ("one\n\n", "two")] == ["one", "\n\ntwo"]
    over = finder.over
    assert finder.feed("\n\n\nthree") == ""
    assert (over, finder.over) == (False, True)
    assert finder.feed("more") == finder.close() == ""


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"a": 1}', '{"a": 1}'),
        ("{}", "{}"),
        ('Sure:\n```json\n{"a": {"b": ["}", "\\"]"]}}\n```\nBye {"c": 2}', '{"a": {"b": ["}", "\\"]"]}}'),
        ('Use {braces} or { x } like {\n "so": "\\\\"}.', '{\n "so": "\\\\"}'),
        ('cut: {"a": [1, ', '{"a": [1, '),
        ("no object, only { here", "no object, only { here"),
        ("", ""),
    ],
)
def test_the_first_object_passes_and_nothing_else(text: str, expected: str):
    assert passed(JsonObjectFinder, text) == expected


def test_a_preamble_without_end_is_no_preamble():
    finder = JsonObjectFinder()
    long = "x" * MAX_PREAMBLE
    assert finder.feed(long) == ""
    assert finder.feed("y") == long + "y"
    assert finder.feed('then {"a": 1} too') == 'then {"a": 1} too'
    assert finder.close() == ""


def test_an_object_that_has_ended_lets_nothing_more_through():
    finder = JsonObjectFinder()
    assert finder.feed('{"a": 1} ') == '{"a": 1}'
    assert finder.over
    assert finder.feed("more") == finder.close() == ""


CHARACTERS = ["a", '"', "\\", "\n", "é", "😀", "u12", "\\u", "\x01", "/", "d83d", "\\\\"]


@pytest.mark.parametrize("ascii_", [True, False])
@pytest.mark.parametrize("spaces", [(",", ":"), (" ,\n", " :\t")])
def test_the_input_of_a_custom_tool_comes_out_as_the_text_it_is(ascii_: bool, spaces: tuple[str, str]):
    for seed in range(100):
        text = "".join(random.Random(seed).choices(CHARACTERS, k=12))
        written = json.dumps({"input": text}, ensure_ascii=ascii_, separators=spaces)
        assert passed(CustomInput, " " + written) == text


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (r'{"input": "\ud83d\ud83d\ude00 \ude00 \ud83d"}', "\ufffd😀 \ufffd \ufffd"),
        (r'{"input": "\\ud83d\\"}', "\\ud83d\\"),
        (r'{"input": "\x \u12zz"}', r"\x \u12zz"),
        ('{"input": "line\nbreak", "more": 1}', "line\nbreak"),
        (r'{"input": "cut \u00', r"cut \u00"),
        (r'{"input": "cut \ud83d', "cut \ufffd"),
        ('{"input": "cut', "cut"),
        ('{"text": "another name"}', "another name"),
        ('{"input": 7}', '{"input": 7}'),
        ('"only text"', '"only text"'),
        ("{}", "{}"),
        ("", ""),
    ],
)
def test_input_that_is_not_quite_as_asked_for_loses_nothing(written: str, expected: str):
    assert passed(CustomInput, written) == expected


def test_what_follows_the_input_is_ignored():
    custom = CustomInput()
    assert custom.feed('{"input": "x"') == "x"
    assert custom.feed("}") == custom.close() == ""
