import re

import pytest

from claude_proxy.translate.names import call_id, tool_name


@pytest.mark.parametrize("name", ["get_weather", "a-b", "A" * 64, "0"])
def test_a_good_name_stays(name: str):
    assert tool_name(name) == name
    assert call_id(name) == name


@pytest.mark.parametrize("name", ["a.b", "a/b", "größe", "A" * 65, "", "a b\n", "😀", "\ud83d"])
def test_a_bad_name_becomes_a_good_one_that_is_always_the_same(name: str):
    made = tool_name(name)
    assert re.fullmatch(r"[a-zA-Z0-9_-]{1,64}", made)
    assert made == tool_name(name)


def test_names_that_look_alike_stay_apart():
    names = ["a.b", "a/b", "a b", "a_b", "A" * 65, "A" * 66]
    assert len({tool_name(name) for name in names}) == len(names)
    assert len({call_id(name) for name in names}) == len(names)


def test_an_id_may_be_long():
    assert call_id("x" * 500) == "x" * 500
    assert re.fullmatch(r"[a-zA-Z0-9_-]+", call_id("functions.x:0"))
