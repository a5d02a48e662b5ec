import pytest

from claude_proxy.translate.content import cache_control, text_blocks
from claude_proxy.wire.anthropic import CacheControl, TextBlock


@pytest.mark.parametrize(("text", "expected"), [("x", [TextBlock("x")]), ("", []), (" \n", []), (None, [])])
def test_blank_text_makes_no_block(text: str | None, expected: list[TextBlock]):
    assert text_blocks(text) == expected


@pytest.mark.parametrize(("ttl", "expected"), [(None, None), ("5m", None), ("30m", "1h"), ("1h", "1h")])
def test_a_longer_lifetime_than_five_minutes_is_an_hour(ttl: str | None, expected: str | None):
    assert cache_control(ttl) == CacheControl(expected)
