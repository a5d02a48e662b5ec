from dataclasses import dataclass
from typing import Annotated

import pytest
from msgspec import Meta

from claude_proxy.config import SETTINGS
from claude_proxy.errors import ConfigError
from claude_proxy.setting import Count, Seconds, Setting, as_argument, as_text, setting, settings_of


@dataclass(frozen=True)
class Example:
    number: Annotated[int, Meta(ge=1, le=9)] = setting(5, "a number", env="NUMBER", at_once=True)
    place: str = setting("", "a file", file=True)
    no_setting: int = 0


NUMBER, PLACE = settings_of(Example)


def test_a_field_holds_everything_about_its_setting():
    assert Setting("number", Annotated[int, Meta(ge=1, le=9)], 5, "a number", "NUMBER", at_once=True) == NUMBER
    assert (NUMBER.flag, NUMBER.kind, Example().number) == ("--number", int, 5)


@pytest.mark.parametrize(
    ("item", "value", "message"),
    [
        (NUMBER, "10", "x must be a whole number between 1 and 9, not '10'"),
        (NUMBER, 0, "x must be a whole number between 1 and 9, not 0"),
        (NUMBER, True, "x must be a whole number between 1 and 9, not True"),
        (NUMBER, "9" * 5000, "x must be a whole number between 1 and 9"),
        (PLACE, "key", "x must be an absolute path, not 'key'"),
        (PLACE, 1, "x must be text, not 1"),
        (PLACE, "/a\udcff", "x must be UTF-8, not '/a\\udcff'"),
        (Setting("n", Count, 0, ""), "-1", "x must be a whole number of at least 0, not '-1'"),
    ],
)
def test_a_value_outside_the_field_s_type_is_refused(item: Setting, value: object, message: str):
    with pytest.raises(ConfigError) as caught:
        item.convert(value, "x")
    assert caught.value.message.startswith(message)


@pytest.mark.parametrize("text", ["inf", "nan", "-inf", "1e300", "-1"])
def test_seconds_are_a_finite_span(text: str):
    item = Setting("s", Seconds, 1.0, "")
    for value in (text, float(text)):
        with pytest.raises(ConfigError, match="must be a number of seconds between 0 and 31536000, not "):
            item.convert(value, "s")
    assert item.convert("31536000", "s") == 31_536_000


@pytest.mark.parametrize("item", SETTINGS, ids=lambda item: item.name)
def test_every_default_is_read_again_from_its_text(item: Setting):
    if text := as_text(item.default):
        assert item.convert(text, item.name) == item.default


@pytest.mark.parametrize(("value", "text"), [(1234567.0, "1234567"), (2.5, "2.5"), (True, "true"), (("a", "b"), "a,b")])
def test_a_value_has_one_text(value: object, text: str):
    assert as_text(value) == text


def test_a_switch_that_is_off_has_a_flag_of_its_own():
    switch = Setting("some_switch", bool, False, "")
    assert [as_argument(switch, text) for text in ("true", "false")] == ["--some-switch", "--no-some-switch"]
