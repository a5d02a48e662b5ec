from typing import Any

import pytest

from claude_proxy.simulator.api_error import ApiError
from claude_proxy.simulator.validators import (
    Anything,
    BetaOnly,
    Boolean,
    Dictionary,
    ListOf,
    Nullable,
    Number,
    Object,
    OneOf,
    TaggedUnion,
    Text,
    TextOr,
    Validator,
    integer,
    join_param,
    quoted_list,
)

NONE: frozenset[str] = frozenset()
POINT = Object({"x": integer()}, {"label": Text()})
SHAPES = TaggedUnion({"point": POINT.without("x"), "any": Dictionary()}, betas={"any": ("b",)})


@pytest.mark.parametrize(
    ("validator", "value"),
    [
        (Anything(), object()),
        (Text(pattern="^a", shortest=1, longest=3), "abc"),
        (OneOf(("a", "b")), "b"),
        (Boolean(), False),
        (Number(0, 1), 0.5),
        (integer(0, 1), 1),
        (Dictionary(integer()), {"a": 1}),
        (ListOf(Boolean(), longest=2), [True, False]),
        (TextOr(integer()), "text"),
        (TextOr(integer()), 1),
        (Nullable(Text()), None),
        (POINT, {"x": 1}),
        (POINT, {"x": 1, "label": "a"}),
    ],
)
def test_a_value_is_accepted(validator: Validator, value: Any):
    validator.check(value, "p", NONE)


@pytest.mark.parametrize(
    ("validator", "value", "text"),
    [
        (Text(), 1, "p: Input should be a valid string"),
        (Text(shortest=1), "", "p: String should have at least 1 character"),
        (Text(longest=2), "abc", "p: String should have at most 2 characters"),
        (Text(pattern="^a$"), "b", "p: String should match pattern '^a$'"),
        (OneOf(("a", "b")), "c", "p: Input should be 'a' or 'b'"),
        (OneOf(("a",)), [], "p: Input should be 'a'"),
        (Boolean(), 1, "p: Input should be a valid boolean"),
        (Number(), True, "p: Input should be a valid number"),
        (integer(), 1.0, "p: Input should be a valid integer"),
        (integer(low=2), 1, "p: Input should be greater than or equal to 2"),
        (Number(high=1), 1.5, "p: Input should be less than or equal to 1"),
        (Dictionary(), [], "p: Input should be a valid dictionary"),
        (Dictionary(integer()), {"a": "b"}, "p.a: Input should be a valid integer"),
        (ListOf(Text()), {}, "p: Input should be a valid list"),
        (ListOf(Text()), ["a", 1], "p.1: Input should be a valid string"),
        (ListOf(Text(), longest=1), ["a", "b"], "p: List should have at most 1 items after validation, not 2"),
        (TextOr(integer()), [], "p: Input should be a valid integer"),
        (POINT, [], "p: Input should be an object"),
        (POINT, {}, "p.x: Field required"),
        (POINT, {"x": 1, "y": 2}, "p.y: Extra inputs are not permitted"),
        (SHAPES, {}, "p.type: Field required"),
        (SHAPES, 5, "p: Input should be an object"),
        (SHAPES, {"type": "point", "x": 1}, "p.point.type: Extra inputs are not permitted"),
        (
            SHAPES,
            {"type": "any"},
            "p: Input tag 'any' found using 'type' does not match any of the expected tags: 'point'",
        ),
    ],
)
def test_a_value_is_refused_with_its_param(validator: Validator, value: Any, text: str):
    with pytest.raises(ApiError) as refusal:
        validator.check(value, "p", NONE)
    assert (refusal.value.status, refusal.value.message) == (400, text)


def test_a_betas_field_is_unknown_without_it():
    with pytest.raises(ApiError, match="p: Extra inputs are not permitted"):
        BetaOnly(("b",), Text()).check("a", "p", NONE)
    BetaOnly(("b", "c"), Text()).check("a", "p", frozenset({"c"}))
    SHAPES.check({"type": "any"}, "p", frozenset({"b"}))


def test_a_union_can_have_a_default_and_hide_its_tag():
    union = TaggedUnion({"point": POINT}, default="point", hide_tag=True)
    with pytest.raises(ApiError, match=r"^p\.x: Field required$"):
        union.check({}, "p", NONE)


def test_a_param_is_joined_by_dots():
    assert join_param("", "a") == "a"
    assert join_param("a", 0) == "a.0"


def test_a_list_is_quoted_as_pydantic_does():
    assert [quoted_list(values) for values in (["a"], ["a", "b"], ["a", "b", "c"])] == [
        "'a'",
        "'a' or 'b'",
        "'a', 'b' or 'c'",
    ]
