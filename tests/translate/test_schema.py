from typing import Any

import msgspec
import pytest
from msgspec import Raw

from claude_proxy.simulator.json_schema_rules import check
from claude_proxy.translate.schema import (
    Unsupported,
    complexity,
    input_schema,
    read_schema,
    strict_input_schema,
    strict_schema,
)


def raw(value: Any) -> Raw:
    return Raw(msgspec.json.encode(value))


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
            {"anyOf": [{"type": "string"}], "oneOf": [{"type": "null"}]},
            {"anyOf": [{"type": "string"}], "description": '{oneOf: [{"type":"null"}]}'},
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
            {**closed(a={"type": "null"}), "additionalProperties": True, "required": ["a", "b", 1, []]},
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
        ({"allOf": [{"$ref": "#/$defs/A"}, closed()], "$defs": {"A": closed()}}, "allOf"),
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


@pytest.mark.parametrize("text", [b"", b"null", b"{}"])
def test_a_tool_without_parameters_takes_an_empty_object(text: bytes):
    assert input_schema(Raw(text)) == (Raw(b'{"type":"object","properties":{}}'), None)


def test_a_tool_schema_travels_as_it_came():
    text = Raw(b'{ "type": "object", "properties": {"n": {"maximum": 1.50}} }')
    assert input_schema(text) == (text, None)


def test_alternatives_at_the_top_become_one_object():
    schema = {
        "properties": {"own": {"type": "null"}},
        "required": ["own"],
        "anyOf": [
            {"properties": {"a": {}, "b": {}}, "required": ["a", "b"]},
            {"properties": {"b": {}}, "required": ["b"]},
            True,
        ],
        "oneOf": "nonsense",
    }
    merged, change = input_schema(raw(schema))
    assert change == "alternatives at the top of the schema were merged"
    found = msgspec.json.decode(merged)
    assert list(found["properties"]) == ["own", "a", "b"]
    assert (found["type"], found["required"]) == ("object", ["own", "b"])
    assert 'anyOf: [{"properties"' in found["description"]


def test_alternatives_that_demand_nothing_leave_required_out():
    merged, _ = input_schema(raw({"oneOf": [{"properties": {"a": {}}}, {"required": ["b"]}], "allOf": []}))
    assert "required" not in msgspec.json.decode(merged)


def test_a_schema_that_is_no_object_is_an_error():
    with pytest.raises(msgspec.ValidationError):
        read_schema(raw([1]))


def test_a_strict_input_is_an_object_at_its_top():
    assert msgspec.json.decode(strict_input_schema(raw(closed()))) == closed()
    with pytest.raises(Unsupported, match="its top"):
        strict_input_schema(raw({"type": "object", "$ref": "#/$defs/A", "$defs": {"A": closed()}}))


def test_complexity_counts_optional_properties_and_unions_at_any_depth():
    inner = closed(x={"type": "string"}, y={"anyOf": [{"type": "string"}, {"type": "null"}]})
    schema = {**closed(a={"type": "array", "items": inner}, b={"type": "string"}), "required": ["a"]}
    assert complexity(raw(schema)) == (3, 1)
