from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator  # type: ignore[import-untyped] # it has no types of its own
from msgspec import Raw

from claude_proxy.simulator.json_schema_rules import check
from claude_proxy.translate.schema import complexity, read_schema, strict_schema
from claude_proxy.translate.schema_merge import Unsupported


def raw(value: Any) -> Raw:
    return Raw(msgspec.json.encode(value))


TEXT = {"type": "string"}


# Each definition holds the next one twice, in two forms.
DOUBLING = {
    f"A{n}": {"anyOf": [{"$ref": f"#/$defs/A{n + 1}", key: 1} for key in ("minProperties", "maxProperties")]}
    for n in range(20)
} | {"A20": {"type": "object", "properties": {}, "additionalProperties": False}}


def opened(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties}


def closed(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "additionalProperties": False}


@pytest.mark.parametrize(
    ("schema", "strict"),
    [
        (
            {"type": "string", "minLength": 2, "pattern": "a"},
            {"type": "string", "description": '{minLength: 2, pattern: "a"}'},
        ),
        ({"type": "string", "format": "uri"}, {"type": "string", "format": "uri"}),
        ({"type": "string", "format": "color"}, {"type": "string", "description": '{format: "color"}'}),
        (
            {"type": "integer", "minimum": 1, "description": "Age"},
            {"type": "integer", "description": "Age\n\n{minimum: 1}"},
        ),
        (
            {"type": ["string", "null"], "maxLength": 3},
            {"anyOf": [{"type": "string", "description": "{maxLength: 3}"}, {"type": "null"}]},
        ),
        ({"type": ["string", "null"], "enum": ["a", None]}, {"enum": ["a", None]}),
        ({"type": "string", "const": "a"}, {"const": "a"}),
        (
            {"oneOf": [{"type": "string"}, {"type": "null"}], "title": "T"},
            {"anyOf": [{"type": "string"}, {"type": "null"}], "title": "T"},
        ),
        (
            {"anyOf": [{"type": "string"}, {"type": "null"}], "oneOf": [{"type": "string", "minLength": 1}]},
            {"anyOf": [{"anyOf": [{"type": "string", "description": "{minLength: 1}"}]}]},
        ),
        # What stands beside alternatives is a part of each of them.
        (
            {**opened(kind=TEXT), "required": ["kind"], "oneOf": [{"properties": {"a": TEXT}, "required": ["a"]}, {}]},
            {
                "anyOf": [
                    {**closed(kind=TEXT, a=TEXT), "required": ["kind", "a"]},
                    {**closed(kind=TEXT), "required": ["kind"]},
                ]
            },
        ),
        (
            {"type": "string", "anyOf": [{"type": "null"}, {"minLength": 1}, False]},
            {"anyOf": [{"type": "string", "description": "{minLength: 1}"}]},
        ),
        # Two objects together, as zod writes an intersection.
        (
            {"allOf": [{**opened(a=TEXT), "required": ["a"]}, {**opened(b=TEXT), "required": ["b"]}]},
            {**closed(a=TEXT, b=TEXT), "required": ["a", "b"]},
        ),
        (
            {
                **opened(c=TEXT),
                "allOf": [closed(a={"type": ["integer", "null"]}), opened(a={"type": "number", "minimum": 1})],
            },
            closed(c=TEXT, a={"type": "integer", "description": "{minimum: 1}"}),
        ),
        (
            {
                "allOf": [{"$ref": "#/$defs/A"}, opened(b=TEXT)],
                "$defs": {"A": opened(a=TEXT), "Unused": {"type": "any"}},
            },
            closed(a=TEXT, b=TEXT),
        ),
        (
            {"$ref": "#/$defs/A", "required": ["a"], "$defs": {"A": opened(a=TEXT)}},
            {**closed(a=TEXT), "required": ["a"]},
        ),
        (
            {"type": "array", "items": {"type": "number"}, "minItems": 1, "maxItems": 4},
            {"type": "array", "items": {"type": "number"}, "minItems": 1, "description": "{maxItems: 4}"},
        ),
        ({"type": "array", "minItems": 3}, {"type": "array", "description": "{minItems: 3}"}),
        ({"items": {"type": "string"}}, {"type": "array", "items": {"type": "string"}}),
        ({"properties": {"a": {"type": "boolean"}}}, closed(a={"type": "boolean"})),
        ({"type": "object", "additionalProperties": False}, closed()),
        (
            {**closed(a={"type": "null"}), "additionalProperties": True, "required": ["a", "a", 1, []]},
            {**closed(a={"type": "null"}), "required": ["a"]},
        ),
        (
            {"type": "string", "default": "x", "$schema": "s", "$id": "i", "nullable": True},
            {"type": "string", "default": "x", "description": "{nullable: true}"},
        ),
    ],
)
def test_a_schema_is_said_in_the_language_of_the_grammar(schema: dict[str, Any], strict: dict[str, Any]):
    assert strict_schema(schema) == strict
    check(strict, "schema")


@pytest.mark.parametrize(
    ("schema", "why"),
    [
        ({}, "no type"),
        ({"type": "object"}, "without named properties"),
        ({"type": "object", "additionalProperties": {"type": "string"}}, "free property names"),
        ({"type": "object", "properties": {}, "patternProperties": {"a": {}}}, "free property names"),
        (closed(a=True), "anything or nothing"),
        (closed(a={}), "no type"),
        (closed(a={"type": "any"}), "'any'"),
        (closed(a={"type": {"x": 1}}), "the type"),
        (closed(a={"enum": [{"x": 1}]}), "no type"),
        (closed(a={"$ref": "#/$defs/No"}), "does not define"),
        (closed(a={"$ref": "https://example.org"}), "does not define"),
        (closed(a={"$ref": "#"}), "refers to itself"),
        ({"$ref": "#/$defs/A", "$defs": {"A": closed(b={"$ref": "#/$defs/A"})}}, "recursive"),
        ({"allOf": [{"type": "string", "pattern": "a"}, {"pattern": "b"}]}, "several values of `pattern`"),
        ({"allOf": [True]}, "anything or nothing"),
        ({"allOf": [opened(a=TEXT), opened(a={"type": "null"})]}, "exclude each other"),
        ({"type": "string", "anyOf": [{"type": "null"}]}, "no value satisfies it"),
        ({"allOf": [{"const": 1}, {"const": 2}]}, "no value satisfies it"),
        ({**opened(a=TEXT), "additionalProperties": {"type": "string"}}, "free property names"),
        ({**opened(a=TEXT), "unevaluatedProperties": {"type": "string"}}, "free property names"),
        ({**opened(a=TEXT), "required": ["a", "b"]}, "requires the property 'b'"),
        ({"type": "object", "additionalProperties": False, "required": ["b"]}, "requires the property 'b'"),
        ({**opened(a=TEXT), "if": opened(a={"const": "x"}), "then": {"required": ["b"]}}, "requires the property 'b'"),
        ({**opened(a=TEXT), "dependentSchemas": {"a": opened(b=TEXT)}}, "requires the property 'b'"),
        ({"type": "array", "prefixItems": [TEXT], "items": {"type": "null"}}, "first items"),
        ({"$ref": "#/$defs/A0", "$defs": DOUBLING}, "too complex"),
        (closed(a={"allOf": [{"const": 1}, {"const": 2}]}), "no value satisfies it"),
    ],
)
def test_what_the_grammar_cannot_hold_is_said_openly(schema: dict[str, Any], why: str):
    with pytest.raises(Unsupported, match=why):
        strict_schema(schema)


def test_references_stay_and_their_neighbours_go():
    schema: dict[str, Any] = {
        "$ref": "#/definitions/A",
        "description": "d",
        "definitions": {"A": {"allOf": [{"$ref": "#/definitions/B"}], "title": "t"}, "B": {"type": "string"}},
    }
    assert strict_schema(schema) == {
        "$ref": "#/definitions/A",
        "definitions": {"A": {"$ref": "#/definitions/B"}, "B": {"type": "string"}},
    }


def test_depth_has_a_bound():
    schema: dict[str, Any] = {"type": "string"}
    for _ in range(150):
        schema = {"type": "array", "items": schema}
    with pytest.raises(Unsupported, match="deeply"):
        strict_schema(schema)


def test_a_long_chain_of_references_is_no_recursion():
    definitions: dict[str, Any] = {f"A{n}": {"$ref": f"#/$defs/A{n + 1}"} for n in range(3000)}
    definitions["A3000"] = {"type": "string"}
    assert strict_schema({"$ref": "#/$defs/A0", "$defs": definitions})["$ref"] == "#/$defs/A0"


def test_a_schema_that_is_no_object_is_an_error():
    with pytest.raises(msgspec.ValidationError):
        read_schema(raw([1]))


# A generator of schemas in all the forms that clients combine, and values for them: small words, so that they meet.
NAMES = st.sampled_from(["a", "b", "c"])
PLAIN = st.one_of(
    st.builds(lambda name: {"type": name}, st.sampled_from(["string", "integer", "number", "boolean", "null"])),
    st.builds(
        lambda names: {"type": names}, st.lists(st.sampled_from(["string", "integer", "null"]), min_size=1, unique=True)
    ),
    st.builds(lambda values: {"enum": values}, st.lists(st.sampled_from(["x", "y", 1, None]), min_size=1, unique=True)),
    st.builds(lambda value: {"const": value}, st.sampled_from(["x", 1, True])),
    st.just({"type": "integer", "minimum": 1}),
    st.just({"type": "string", "minLength": 1}),
)


def objects(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.builds(
        lambda properties, more: {"type": "object", "properties": properties, **more},
        st.dictionaries(NAMES, inner, max_size=3),
        st.fixed_dictionaries(
            {},
            optional={
                "required": st.lists(NAMES, max_size=2, unique=True),
                "additionalProperties": st.sampled_from([True, False, {"type": "string"}]),
                "dependentRequired": st.dictionaries(NAMES, st.lists(NAMES, max_size=1), max_size=1),
            },
        ),
    )


def combined(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    parts = st.lists(
        st.one_of(
            objects(inner),
            inner,
            st.builds(lambda names: {"required": names}, st.lists(NAMES, max_size=2)),
            st.sampled_from([{"$ref": "#/$defs/A"}, {"$ref": "#/$defs/B"}]),
        ),
        min_size=1,
        max_size=3,
    )
    keys = st.sampled_from(["anyOf", "oneOf", "allOf"])
    return st.one_of(
        objects(inner),
        st.builds(lambda items: {"type": "array", "items": items}, inner),
        st.builds(lambda key, found: {key: found}, keys, parts),
        st.builds(lambda base, key, found: {**base, key: found}, objects(inner), keys, parts),
        st.builds(lambda base, name: {**base, "$ref": f"#/$defs/{name}"}, objects(inner), st.sampled_from("AB")),
        st.just({"$ref": "#/$defs/A"}),
    )  # fmt: skip


SCHEMAS = st.builds(
    lambda schema, a, b: {**schema, "$defs": {"A": a, "B": b}},
    combined(st.recursive(PLAIN, combined, max_leaves=5)),
    objects(PLAIN),
    st.one_of(PLAIN, objects(PLAIN)),
)
VALUES = st.recursive(
    st.sampled_from(["x", "y", "", 1, 2, 1.5, True, None]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=6,
)


def with_closed_objects(schema: Any, *, part: bool = False) -> Any:
    """`schema` as the client means it when only properties that it names are sent: the grammar closes all objects.

    A `part` of a combination is not closed by itself, but together with the others.
    """
    if not isinstance(schema, dict):
        return schema
    found = {key: value for key, value in schema.items() if not (key == "additionalProperties" and value is True)}
    for key in ("anyOf", "oneOf", "allOf"):
        if key in found:
            found[key] = [with_closed_objects(branch, part=True) for branch in found[key]]
    for key in ("properties", "$defs"):
        if key in found:
            found[key] = {name: with_closed_objects(value, part=key == "$defs") for name, value in found[key].items()}
    if "items" in found:
        found["items"] = with_closed_objects(found["items"])
    return found if part else {**found, "unevaluatedProperties": False}


@settings(max_examples=300, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
@given(schema=SCHEMAS, values=st.lists(VALUES, min_size=5, max_size=15))
def test_what_is_valid_for_the_clients_schema_is_valid_for_the_one_sent(schema: dict[str, Any], values: list[Any]):
    try:
        strict = strict_schema(schema)
    except Unsupported:
        return
    check(strict, "schema")
    theirs, ours = Draft202012Validator(with_closed_objects(schema)), Draft202012Validator(strict)
    for value in values:
        if theirs.is_valid(value):
            assert ours.is_valid(value), value


def test_complexity_counts_optional_properties_and_unions_at_any_depth():
    inner = closed(x={"type": "string"}, y={"anyOf": [{"type": "string"}, {"type": "null"}]})
    schema = {**closed(a={"type": "array", "items": inner}, b={"type": "string"}), "required": ["a"]}
    assert complexity(raw(schema)) == (3, 1)
