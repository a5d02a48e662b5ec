import pytest

from claude_proxy.errors import InvalidRequest
from claude_proxy.translate.sampling import set_max_tokens, set_stop, set_temperature, set_top_k, set_top_p
from claude_proxy.wire.anthropic import Thinking
from tests.translate.middle import draft, warnings

OLD = "claude-sonnet-4-5"


@pytest.mark.parametrize(
    ("value", "cap", "expected", "warned"),
    [(None, 0, 64_000, 0), (None, 500, 500, 0), (7, 500, 7, 0), (501, 500, 500, 1), (70_000, 0, 64_000, 1)],
)
def test_max_tokens_stays_within_the_models_limit_and_the_settings(
    value: int | None, cap: int, expected: int, warned: int
):
    made = draft(OLD, max_tokens=cap)
    set_max_tokens(made, value, param="max_output_tokens")
    assert made.body.max_tokens == expected
    assert [param for param, _ in warnings(made)] == ["max_output_tokens"] * warned


def test_fewer_than_one_token_is_refused_under_the_given_name():
    with pytest.raises(InvalidRequest) as refusal:
        set_max_tokens(draft(), 0, param="max_output_tokens")
    assert refusal.value.param == "max_output_tokens"


@pytest.mark.parametrize(
    ("model", "value", "expected", "warned"),
    [(OLD, 0.5, 0.5, 0), (OLD, 1.5, 1.0, 0), (OLD, 1, None, 0), ("claude-opus-5", 0.5, None, 1)],
)
def test_a_temperature_goes_out_where_the_model_takes_one(
    model: str, value: float, expected: float | None, warned: int
):
    made = draft(model)
    set_temperature(made, value)
    assert made.body.temperature == expected
    assert len(warnings(made)) == warned


def test_a_model_that_thinks_takes_sampling_only_near_its_default():
    made = draft(OLD)
    made.body.thinking = Thinking("enabled", budget_tokens=1024)
    set_temperature(made, 0.5)
    set_top_p(made, 0.5)
    set_top_k(made, 5)
    assert [param for param, _ in warnings(made)] == ["temperature", "top_p", "top_k"]
    set_top_p(made, 0.96)
    assert made.body.top_p == 0.96


def test_top_p_gives_way_to_a_temperature():
    made = draft(OLD)
    set_temperature(made, 0.5)
    set_top_p(made, 0.5)
    assert (made.body.temperature, made.body.top_p) == (0.5, None)


@pytest.mark.parametrize(("setter", "value"), [(set_temperature, 2.1), (set_temperature, -1), (set_top_p, 1.1)])
def test_a_number_out_of_range_is_refused(setter: object, value: float):
    with pytest.raises(InvalidRequest):
        setter(draft(), value, param="x")  # type: ignore[operator] # both take a draft and a number


def test_blank_stop_texts_are_kept_for_the_reply():
    made = draft()
    set_stop(made, ["a", "", None, "\n"])
    assert (made.body.stop_sequences, made.stops) == (["a"], ("\n",))
