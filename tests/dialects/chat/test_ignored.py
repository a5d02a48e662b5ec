from typing import Any

import pytest

from tests.dialects.chat.case import translated


@pytest.mark.parametrize(
    "fields",
    [
        {"frequency_penalty": 0},
        {"presence_penalty": 0.0},
        {"logit_bias": {}},
        {"logprobs": False},
        {"top_logprobs": 0},
        {"store": False},
        {"prediction": None},
        {"moderation": None},
        {"seed": None},
    ],
    ids=str,
)
def test_a_value_that_asks_for_nothing_passes_in_silence(fields: dict[str, Any]):
    assert translated(fields).notes == ()


@pytest.mark.parametrize(
    "fields",
    [{"frequency_penalty": 0.1}, {"logit_bias": {"1": 1}}, {"logprobs": True}, {"seed": 0}, {"store": True}],
    ids=str,
)
def test_a_value_without_effect_is_a_warning(fields: dict[str, Any]):
    assert translated(fields).warnings == tuple(fields)
