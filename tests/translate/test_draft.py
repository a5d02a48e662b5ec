import pytest

from claude_proxy.errors import InvalidRequest
from claude_proxy.options import Options
from claude_proxy.translate.draft import Draft
from claude_proxy.translate.models import MODELS
from tests.dialects.chat.case import translated


def draft(**options: bool) -> Draft:
    return Draft.begin(MODELS["claude-opus-5"], Options(**options))


def test_only_a_warning_is_refused_in_strict_mode():
    strict = draft(strict=True)
    strict.note("changed", "a", "b")
    with pytest.raises(InvalidRequest) as refusal:
        strict.warn("seed", "there is none")
    assert (refusal.value.param, refusal.value.message) == ("seed", "'seed': there is none, and strict mode is on.")


def test_a_beta_is_named_once():
    asked = draft()
    for name in ("a", "b", "a"):
        asked.add_beta(name)
    assert asked.betas == ["a", "b"]


def test_each_parameter_is_warned_about_once_in_order():
    assert translated({"seed": 1, "presence_penalty": 1, "logprobs": True}).warnings == (
        "presence_penalty",
        "logprobs",
        "seed",
    )
