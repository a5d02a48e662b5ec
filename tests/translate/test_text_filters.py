import json
import random
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from claude_proxy.translate.text_filters import (
    MAX_HELD,
    MAX_PREAMBLE,
    CustomInput,
    JsonFinder,
    JsonScanner,
    StopFinder,
    TextFilter,
)

SIZES = (1, 2, 3, 5, 1000)


def passed(make: Callable[[], TextFilter], text: str) -> str:
    """What a filter lets through; the same for every size of the pieces."""
    found = set()
    for size in SIZES:
        text_filter = make()
        pieces = [text_filter.feed(text[pos : pos + size]) for pos in range(0, len(text), size)]
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
        ("[]", "[]"),
        ("[1, 2.5e3, true]", "[1, 2.5e3, true]"),
        (' \n[{"a":1},{"a":2}]\n', ' \n[{"a":1},{"a":2}]'),
        ('```json\n[{"a":1},{"a":2}]\n```', '[{"a":1},{"a":2}]'),
        ("```\n[1, 2]\n```\nDone.", "[1, 2]"),
        ('```json {"a": 1}```', '{"a": 1}'),
        ("```json\n[]\n```", "[]"),
        ("```json\n42\n```\n", "42"),
        ('```\n"text"\n```', '"text"'),
        ('Sure:\n```json\n{"a": {"b": ["}", "\\"]"]}}\n```\nBye {"c": 2}', '{"a": {"b": ["}", "\\"]"]}}'),
        ('Use {braces} or { x } like {\n "so": "\\\\"}.', '{\n "so": "\\\\"}'),
        ('Format is {"x": ...}. Answer:\n{"a":1}', '{"a":1}'),
        ('Format is {"x": {"y": 1}, ...}. Answer:\n{"a":1}', '{"a":1}'),
        ('Format is {"x": 1}. Answer:\n{"a":1}', '{"a":1}'),
        ('The answer is {"a": 1}. Is {"b": 2} better?', '{"a": 1}'),
        ('Here they are: [{"a":1},{"a":2}]', '[{"a":1},{"a":2}]'),
        ('See [1] and {}: {"a": 1}', '{"a": 1}'),
        ('[1] says:\n{"a": 1}', '{"a": 1}'),
        ("Nothing was found: {}.", "{}"),
        ("Prime: [2, 3]", "[2, 3]"),
        ('"a text with {\\"x\\": 1} in it"', '"a text with {\\"x\\": 1} in it"'),
    ],
)
def test_the_json_of_an_answer_passes_without_what_stands_around_it(text: str, expected: str):
    assert passed(JsonFinder, text) == expected
    json.loads(expected)


@pytest.mark.parametrize(
    "text",
    [
        "no object, only { here",
        "",
        "I cannot, see [1] for the reasons.",
        'cut: {"a": [1, ',
        '```json\n{"a": [1, ',
        '{"a": [1, ',
        ' \n{"a" oops} {"b": 2}',
        "{'a': 1} is Python",
        '{"a": 1,}',
        '{"a": 1 "b": 2} and more',
        'Here: {"a": 01}, {"a": nul}, {"a": "\\x"}, {"a" 1}, {1: 2}, ["a",, 1], [1, 2}, {"a": "line\nbreak"}',
        "```json\nnothing\n```",
    ],
)
def test_an_answer_that_would_not_parse_after_all_passes_unchanged(text: str):
    assert passed(JsonFinder, text) == text


@pytest.mark.parametrize("begin", ["", "\n", " "])
def test_json_that_begins_the_text_is_not_held_back(begin: str):
    finder = JsonFinder()
    pieces = [finder.feed(piece) for piece in (begin, '{"a"', ": [1, ", "2", "]} Bye")]
    assert pieces == ["", begin + '{"a"', ": [1, ", "2", "]}"]
    assert finder.over


def test_behind_other_text_a_bounded_part_of_the_json_is_held_back():
    finder, value = JsonFinder(), json.dumps({"a": "x" * 3 * MAX_HELD})
    pieces = [finder.feed(piece) for piece in ("Sure:\n", *value, "\n", "Bye")]
    assert not any(pieces[: MAX_HELD - 1])
    assert all(pieces[MAX_HELD + 1 : len(value)])
    assert "".join(pieces) + finder.close() == value


def test_what_was_passed_on_is_never_revised():
    for text in ('{"a": 1, oops} {"b": 2}', "Sure:\n" + json.dumps({"a": "x" * 2 * MAX_HELD})[:-1] + ' oops} {"b": 2}'):
        assert passed(JsonFinder, text) == text.removeprefix("Sure:\n")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
PROSE = st.text(alphabet='ab {}[]",:.1\n`\\', max_size=30)


@given(value=JSON, before=PROSE, after=PROSE, ascii_=st.booleans(), indent=st.sampled_from([None, 1]), data=st.data())
def test_what_is_dropped_leaves_json_however_the_text_is_cut(
    value: object, before: str, after: str, ascii_: bool, indent: int | None, data: st.DataObject
):
    text = before + json.dumps(value, ensure_ascii=ascii_, indent=indent) + after
    whole, finder, found, pos = passed(JsonFinder, text), JsonFinder(), "", 0
    while pos < len(text):
        size = data.draw(st.integers(1, 20))
        found, pos = found + finder.feed(text[pos : pos + size]), pos + size
    assert found + finder.close() == whole
    if whole != text:
        json.loads(whole)


@given(
    value=JSON.filter(lambda value: isinstance(value, list | dict)), fence=st.sampled_from(["", "```\n", "```json\n"])
)
def test_any_object_or_array_passes_whole_bare_or_fenced(value: object, fence: str):
    written = json.dumps(value)
    assert passed(JsonFinder, fence + written + ("\n```" if fence else "")) == written


@given(text=st.text(alphabet='ab{}[]",:.-+0123eEtrufalsn \n\\/\x01', max_size=25))
def test_the_scanner_takes_what_the_standard_library_parses(text: str):
    for bracket in ("[", '{"a":'):
        written = bracket + text
        scanner = JsonScanner()
        end = scanner.scan(written, 0, len(written))
        try:
            _, length = json.JSONDecoder().raw_decode(written)
        except ValueError:
            assert not scanner.done
        else:
            assert (scanner.done, end) == (True, length)


def test_a_preamble_without_end_is_no_preamble():
    finder = JsonFinder()
    long = "x" * MAX_PREAMBLE
    assert finder.feed(long) == ""
    assert finder.feed("y") == long + "y"
    assert finder.feed('then {"a": 1} too') == 'then {"a": 1} too'
    assert finder.close() == ""


def test_a_value_in_the_middle_of_a_line_is_not_held_back_for_ever():
    finder = JsonFinder()
    assert finder.feed('So {"a": 1} ' + "x" * MAX_PREAMBLE) == '{"a": 1}'
    assert finder.over


def test_an_object_that_has_ended_lets_nothing_more_through():
    finder = JsonFinder()
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
