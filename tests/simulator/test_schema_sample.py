import pytest

from claude_proxy.simulator.schema_sample import pointed, sample

CITY = {"$defs": {"city": {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}}}


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({"type": "object"}, {}),
        ({"type": "object", "properties": {"a": {"type": "string"}, "b": {}}, "required": ["a"]}, {"a": "simulated"}),
        ({"properties": {"a": {}}, "required": ["a"]}, {"a": "simulated"}),
        ({"type": "object", "required": ["unknown"]}, {"unknown": "simulated"}),
        ({"enum": ["x", "y"]}, "x"),
        ({"const": 5, "type": "integer"}, 5),
        ({"type": ["null", "integer"]}, 0),
        ({"type": ["null"]}, None),
        ({"type": "null"}, None),
        ({"type": "boolean"}, True),
        ({"type": "number", "minimum": 2.5}, 3),
        ({"type": "integer", "minimum": 7, "multipleOf": 5}, 10),
        ({"type": "integer", "exclusiveMinimum": 7}, 8),
        ({"type": "integer", "maximum": -3}, -3),
        ({"type": "integer", "exclusiveMaximum": -3}, -4),
        ({"type": "integer", "maximum": 3}, 0),
        ({"minimum": 1}, 1),
        ({"type": "array"}, []),
        ({"type": "array", "minItems": 2, "items": {"type": "integer"}}, [0, 0]),
        ({"items": {"type": "integer"}, "minItems": 1}, [0]),
        ({"type": "array", "prefixItems": [{"const": 1}], "minItems": 2}, [1, "simulated"]),
        ({"type": "string", "minLength": 12}, "simulated..."),
        ({"type": "string", "maxLength": 3}, "sim"),
        ({"type": "string", "format": "date"}, "2026-01-01"),
        ({"anyOf": [{"type": "integer"}, {"type": "null"}]}, 0),
        ({"oneOf": [{"const": "a"}, {"const": "b"}]}, "a"),
        ({"allOf": [{"type": "integer"}, {"minimum": 4}]}, 4),
        (CITY | {"$ref": "#/$defs/city"}, {"name": "simulated"}),
        (
            CITY | {"allOf": [{"$ref": "#/$defs/city"}, {"required": ["zip"]}]},
            {"name": "simulated", "zip": "simulated"},
        ),
        ({"$ref": "#/nowhere"}, "simulated"),
        (
            {
                "anyOf": [{"properties": {"b": {"const": 2}}, "required": ["b"]}],
                "properties": {"a": {"const": 1}},
                "required": ["a"],
            },
            {"a": 1, "b": 2},
        ),
        (True, "simulated"),
        (False, None),
        ({"anyOf": [True]}, "simulated"),
        ({"allOf": [True], "type": "integer"}, 0),
    ],
)
def test_a_value_satisfies_its_schema(schema, value):
    assert sample(schema) == value


def test_a_schema_without_end_ends_somewhere():
    twice = {"type": "object", "properties": {"a": {"$ref": "#"}, "b": {"$ref": "#"}}, "required": ["a", "b"]}
    assert "None" in str(sample(twice))
    assert sample({"allOf": [{"$ref": "#"}, {"$ref": "#"}]}) == "simulated"
    assert sample({"$ref": "#"}) == "simulated"
    assert len(sample({"type": "array", "minItems": 10**30})) == 1999
    assert len(sample({"type": "string", "minLength": 10**30})) == 10_000


@pytest.mark.parametrize("name", ["enum", "anyOf", "allOf", "required", "properties", "items", "minItems", "minimum"])
@pytest.mark.parametrize("value", [5, "x", True, None, [], {}, [5], 1e300, float("inf")])
def test_a_schema_that_makes_no_sense_still_gets_a_value(name, value):
    for kind in ("object", "array", "string", "number"):
        sample({"type": kind, name: value})


def test_a_reference_is_unescaped():
    assert pointed("#/$defs/a~1b~0c", {"$defs": {"a/b~c": 1}}) == 1
    assert pointed("#/a/b", {"a": [1]}) == {}
