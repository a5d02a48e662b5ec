import pytest

from claude_proxy.simulator.api_error import ApiError
from claude_proxy.simulator.json_schema_rules import check, optional_parameters, union_parameters

CLOSED = {"type": "object", "additionalProperties": False}


def of(schema):
    return CLOSED | {"properties": {"a": schema}}


@pytest.mark.parametrize(
    ("schema", "what"),
    [
        ({"type": "object"}, "For 'object' type, 'additionalProperties' must be explicitly set to false"),
        ({"properties": {}}, "For 'object' type, 'additionalProperties' must be explicitly set to false"),
        (
            {"type": "object", "additionalProperties": {"type": "string"}},
            "For 'object' type, 'additionalProperties' must be explicitly set to false",
        ),
        (of({"type": "object"}), "For 'object' type, 'additionalProperties' must be explicitly set to false"),
        (of({"type": "integer", "minimum": 1}), "For 'integer' type, property 'minimum' is not supported"),
        (of({"type": "string", "maxLength": 1}), "For 'string' type, property 'maxLength' is not supported"),
        (of({"type": "string", "format": "color"}), "For 'string' type, 'format' value 'color' is not supported"),
        (
            of({"type": "array", "minItems": 2}),
            "For 'array' type, 'minItems' values other than 0 or 1 are not supported",
        ),
        (of({"type": "array", "items": {"type": "text"}}), "'text' is not a valid type"),
        (of({"uniqueItems": True}), "For 'any' type, property 'uniqueItems' is not supported"),
        (of({"oneOf": []}), "Schema type 'oneOf' is not supported"),
        (of({"anyOf": [{"not": {}}]}), "Schema type 'not' is not supported"),
        (of({"$ref": "https://x"}), "External schema references are not supported: https://x"),
        (of(True), "Schema should be an object"),
        (
            of({"$ref": "#/$defs/n"}) | {"$defs": {"n": of({"$ref": "#/$defs/n"})}},
            "Circular reference detected in schema definitions: #/$defs/n -> #/$defs/n",
        ),
        (of({"$ref": "#"}), "Circular reference detected in schema definitions: # -> #"),
    ],
)
def test_a_schema_is_outside_the_subset(schema, what):
    with pytest.raises(ApiError) as caught:
        check(schema, "at")
    assert caught.value.message == f"at: {what}"


@pytest.mark.parametrize(
    "schema",
    [
        CLOSED,
        of({"type": ["string", "null"], "format": "uuid", "description": "d"}),
        of({"enum": ["a", 1]}),
        of({"const": None}),
        of({"anyOf": [{"type": "array", "items": {"type": "number"}, "minItems": 1}, {"type": "null"}]}),
        of({"$ref": "#/$defs/n"}) | {"$defs": {"n": {"type": "string", "pattern": "^a"}}},
        of({"allOf": [{"type": "boolean", "default": True}]}),
        of({"anyOf": [{"$ref": "#/$defs/n"}, {"$ref": "#/$defs/n"}]}) | {"$defs": {"n": {"type": "null"}}},
    ],
)
def test_a_schema_is_inside_the_subset(schema):
    check(schema, "at")


def test_optional_and_union_parameters_are_counted_at_every_depth():
    inner = of({"anyOf": [{"type": "string"}]})
    schema = CLOSED | {"properties": {"b": inner, "c": {"type": ["string", "null"]}}, "required": ["b"]}
    assert optional_parameters(schema) == 2
    assert union_parameters(schema) == 2
    assert optional_parameters(True) == union_parameters(True) == 0
