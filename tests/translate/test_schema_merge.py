"""Two schemas become one that allows what both allow; what cannot be merged is refused with a reason."""

from typing import Any

import pytest

from claude_proxy.translate.schema_merge import (
    MAX_STEPS,
    Contradiction,
    Definitions,
    JsonObject,
    Unsupported,
    intersection,
)

NONE = Definitions({})


@pytest.mark.parametrize(
    ("left", "right", "both"),
    [
        ({"minimum": 1, "maximum": 9}, {"minimum": 3, "maximum": 5}, {"minimum": 3, "maximum": 5}),
        ({"type": ["string", "number"]}, {"type": "integer"}, {"type": "integer"}),
        ({"type": "integer"}, {"type": "number"}, {"type": "integer"}),
        ({"type": ["string", "null"]}, {"type": ["null", "string"]}, {"type": ["string", "null"]}),
        ({"enum": [1, 2, 3]}, {"enum": [3, 2]}, {"enum": [2, 3]}),
        ({"required": ["a"]}, {"required": ["b", "a"]}, {"required": ["a", "b"]}),
        ({"additionalProperties": True}, {"additionalProperties": False}, {"additionalProperties": False}),
        ({"type": "string"}, {"description": "d"}, {"type": "string", "description": "d"}),
        (
            {"properties": {"a": {"type": "number"}}},
            {"properties": {"a": {"minimum": 1}, "b": {}}},
            {"properties": {"a": {"type": "number", "minimum": 1}, "b": {}}},
        ),
        ({"items": {"minLength": 1}}, {"items": {"minLength": 2}}, {"items": {"minLength": 2}}),
    ],
)
def test_the_result_allows_what_both_allow(left: Any, right: Any, both: Any):
    assert intersection(left, right, NONE) == both


def test_annotations_of_the_left_win():
    left: JsonObject = {"type": "string", "title": "left"}
    right: JsonObject = {"type": "string", "title": "right"}
    assert intersection(left, right, NONE) == left


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ({"type": "string"}, {"type": "number"}),
        ({"enum": [1, 2]}, {"enum": [True, "x"]}),
        ({"const": 1}, {"const": 2}),
    ],
)
def test_schemas_that_exclude_each_other_are_a_contradiction(left: Any, right: Any):
    with pytest.raises(Contradiction):
        intersection(left, right, NONE)


@pytest.mark.parametrize(
    ("left", "right", "reason"),
    [
        ({"pattern": "a"}, {"pattern": "b"}, "several values of `pattern`"),
        ({"properties": {"a": {"const": 1}}}, {"properties": {"a": {"const": 2}}}, "exclude each other"),
        ({"properties": {"a": True}}, {"properties": {"a": {}}}, "anything or nothing"),
    ],
)
def test_what_cannot_be_merged_says_why(left: Any, right: Any, reason: str):
    with pytest.raises(Unsupported, match=reason) as caught:
        intersection(left, right, NONE)
    assert not isinstance(caught.value, Contradiction)


def test_all_of_becomes_part_of_its_schema():
    root: Any = {"$defs": {"named": {"required": ["name"]}}}
    schema: Any = {"type": "object", "allOf": [{"$ref": "#/$defs/named"}, {"required": ["age"]}]}
    definitions = Definitions(root)
    assert definitions.expand(schema) == {"type": "object", "required": ["name", "age"]}


def test_a_reference_alone_stays_until_it_is_expanded():
    definitions = Definitions({"definitions": {"a": {"type": "string"}}})
    schema: Any = {"$ref": "#/definitions/a", "description": "d"}
    assert definitions.flatten(schema) == schema
    assert definitions.expand(schema) == {"type": "string", "description": "d"}


@pytest.mark.parametrize(
    ("root", "reason"),
    [
        ({"$ref": "#/$defs/none"}, "does not define"),
        ({"properties": {"a": {"$ref": "#"}}}, "refers to itself"),
        ({"$defs": {"a": {"items": {"$ref": "#/$defs/b"}}, "b": {"items": {"$ref": "#/$defs/a"}}}}, "recursive"),
    ],
)
def test_a_reference_that_leads_nowhere_or_back_is_refused(root: Any, reason: str):
    with pytest.raises(Unsupported, match=reason):
        Definitions(root).check()


def test_the_work_has_a_bound():
    definitions = Definitions({})
    for _ in range(MAX_STEPS):
        definitions.count_step()
    with pytest.raises(Unsupported, match="too complex"):
        definitions.count_step()
