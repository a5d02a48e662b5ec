from typing import Any

import pytest

from claude_proxy.options import Options
from tests.dialects.chat.case import sent, translated

SHORT: dict[str, Any] = {"type": "ephemeral"}
HOUR: dict[str, Any] = {"type": "ephemeral", "ttl": "1h"}


def text(control: Any = None) -> dict[str, Any]:
    return {"type": "text", "text": "x", **({"cache_control": control} if control else {})}


def controls(*, system: list[Any], user: list[Any], **fields: Any) -> tuple[list[Any], Any]:
    """The breakpoints that go up for those of the parts, and the automatic one."""
    messages = [
        {"role": "system", "content": [text(c) for c in system]},
        {"role": "user", "content": [text(c) for c in user]},
    ]
    body = sent({"messages": messages, **fields})
    blocks = [*body.get("tools", []), *body.get("system", []), *body["messages"][0]["content"]]
    return [block.get("cache_control") for block in blocks], body.get("cache_control")


@pytest.mark.parametrize(
    ("system", "user", "expected"),
    [
        ([None], [None], ([None, None], SHORT)),
        ([SHORT], [None], ([SHORT, None], SHORT)),
        ([SHORT], [SHORT], ([SHORT, SHORT], SHORT)),
        ([HOUR], [SHORT], ([HOUR, SHORT], SHORT)),
        ([HOUR], [None], ([HOUR, None], SHORT)),
        ([SHORT], [HOUR], ([SHORT, SHORT], SHORT)),
        ([None], [HOUR], ([None, HOUR], None)),
        ([SHORT, SHORT], [SHORT, SHORT], ([SHORT] * 4, None)),
        ([SHORT, SHORT, HOUR], [HOUR, SHORT], ([None, SHORT, SHORT, SHORT, SHORT], None)),
    ],
)
def test_breakpoints_are_kept_within_upstreams_rules(system: list[Any], user: list[Any], expected: Any):
    assert controls(system=system, user=user) == expected


def test_tools_come_before_everything_else():
    tools = [
        {"type": "function", "function": {"name": "f"}, "cache_control": HOUR},
        {"type": "bash_20250124", "name": "bash", "cache_control": SHORT},
    ]
    assert controls(system=[None], user=[HOUR, None], tools=tools) == ([SHORT, SHORT, None, SHORT, None], SHORT)


@pytest.mark.parametrize(
    ("fields", "automatic"),
    [
        ({}, SHORT),
        ({"prompt_cache_options": {"mode": "implicit"}}, SHORT),
        ({"prompt_cache_options": {"mode": "explicit"}}, None),
        ({"prompt_cache_options": {"mode": "off"}}, None),
        ({"prompt_cache_options": {"mode": "bogus"}}, SHORT),
        ({"prompt_cache_retention": "bogus"}, SHORT),
        ({"prompt_cache_options": {"ttl": "30m"}}, HOUR),
        ({"prompt_cache_retention": "in_memory"}, SHORT),
        ({"prompt_cache_retention": "24h"}, HOUR),
        ({"cache_control": HOUR}, HOUR),
        ({"cache_control": SHORT, "prompt_cache_options": {"mode": "explicit"}}, SHORT),
    ],
)
def test_automatic_caching_is_on_unless_the_client_says_otherwise(fields: dict[str, Any], automatic: Any):
    assert sent(fields).get("cache_control") == automatic


def test_automatic_caching_of_an_hour_does_not_stand_behind_five_minutes():
    assert controls(system=[SHORT], user=[None], prompt_cache_retention="24h") == ([SHORT, None], SHORT)


def test_automatic_caching_can_be_switched_off():
    off = Options(prompt_caching=False)
    assert "cache_control" not in sent({}, options=off)
    assert sent({"cache_control": HOUR}, options=off)["cache_control"] == HOUR


def test_breakpoints_that_were_dropped_are_noted():
    messages = [{"role": "user", "content": [text(SHORT)] * 5}]
    notes = translated({"messages": messages}).notes
    assert [note.text for note in notes] == ["only the last 4 cache breakpoints were sent"]


def test_an_unknown_word_about_caching_is_a_warning():
    assert translated({"prompt_cache_retention": "bogus"}).warnings == ("prompt_cache_retention",)
    assert translated({"prompt_cache_options": {"mode": "bogus"}}).warnings == ("prompt_cache_options.mode",)
