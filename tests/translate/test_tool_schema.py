from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from jsonschema import Draft202012Validator  # type: ignore[import-untyped] # it has no types of its own
from msgspec import Raw

from claude_proxy.translate.schema_merge import Unsupported
from claude_proxy.translate.tool_schema import input_schema, strict_input_schema
from tests.translate.test_schema import SCHEMAS, TEXT, VALUES, closed, opened, raw, with_closed_objects


def sent(schema: Any) -> Any:
    return msgspec.json.decode(input_schema(raw(schema))[0])


@pytest.mark.parametrize("text", [b"", b"null", b"{}"])
def test_a_tool_without_parameters_takes_an_empty_object(text: bytes):
    assert input_schema(Raw(text)) == (Raw(b'{"type":"object","properties":{}}'), None)


def test_a_tool_schema_travels_as_it_came():
    text = Raw(b'{ "type": "object", "properties": {"n": {"maximum": 1.50}, "type": {"enum": ["any"]}} }')
    assert input_schema(text) == (text, None)


def test_alternatives_at_the_top_become_one_object():
    schema = {
        "properties": {"own": {"type": "null"}},
        "required": ["own"],
        "anyOf": [
            {"properties": {"a": {}, "b": {}}, "required": ["a", "b"]},
            {"properties": {"b": {}}, "required": ["b"]},
        ],
        "oneOf": "nonsense",
    }
    merged, change = input_schema(raw(schema))
    assert change == "alternatives at the top of the schema were merged"
    found = msgspec.json.decode(merged)
    assert list(found["properties"]) == ["own", "a", "b"]
    assert (found["type"], found["required"]) == ("object", ["own", "b"])
    assert 'anyOf: [{"properties"' in found["description"]


def test_an_alternative_that_allows_anything_demands_nothing():
    assert sent({**opened(own=TEXT), "required": ["own"], "anyOf": [True, {"required": ["b"]}]})["required"] == ["own"]


def test_alternatives_that_demand_nothing_leave_required_out():
    assert "required" not in sent({"oneOf": [{"properties": {"a": {}}}, {"required": ["b"]}], "allOf": []})


def test_references_at_the_top_are_resolved():
    definitions = {"A": {**opened(a=TEXT), "required": ["a"]}, "B": {"allOf": [{"$ref": "#/$defs/A"}, opened(b=TEXT)]}}
    found = sent({"anyOf": [{"$ref": "#/$defs/A"}, {"$ref": "#/$defs/B"}], "$defs": definitions})
    assert (found["properties"], found["required"]) == ({"a": TEXT, "b": TEXT}, ["a"])
    alone, change = input_schema(raw({"$ref": "#/$defs/A", "$defs": definitions}))
    assert msgspec.json.decode(alone) == {**definitions["A"], "$defs": definitions}
    assert change == "the reference at its top was resolved"


def test_a_property_that_alternatives_define_in_several_ways_has_all_of_them():
    branches = [opened(kind={"const": "a"}, x=TEXT), opened(kind={"const": "b"}, x=TEXT)]
    found = sent({"type": "object", "oneOf": branches})
    assert found["properties"] == {"kind": {"anyOf": [{"const": "a"}, {"const": "b"}]}, "x": TEXT}


def test_alternatives_that_are_no_objects_and_such_that_exclude_the_rest_are_left_out():
    found = sent(
        {**opened(k={"const": 1}), "anyOf": [{"type": "null"}, False, opened(b=TEXT), {"type": ["object", "null"]}]}
    )
    assert found["properties"] == {"k": {"const": 1}, "b": TEXT}


def test_parts_at_the_top_are_merged_exactly():
    parts = [{**opened(a=TEXT), "required": ["a"]}, {**opened(b=TEXT), "required": ["b"]}]
    found = sent({"allOf": parts})
    assert (found["properties"], found["required"]) == ({"a": TEXT, "b": TEXT}, ["a", "b"])


@pytest.mark.parametrize(
    "schema", [{"$ref": "#/$defs/No"}, {"allOf": [opened(a=TEXT), opened(a={"type": "null"})]}, {"$ref": "#"},
               {"$ref": "#/$defs/A", "$defs": {"A": {"$ref": "#/$defs/A"}}}],
)  # fmt: skip
def test_what_cannot_be_merged_stays_in_the_description(schema: dict[str, Any]):
    merged, change = input_schema(raw(schema))
    found = msgspec.json.decode(merged)
    assert (found["type"], found["properties"]) == ("object", {})
    assert next(iter(schema)) in found["description"]
    assert change == "alternatives at the top of the schema were moved into the description"


def test_a_strict_input_is_an_object_at_its_top():
    assert msgspec.json.decode(strict_input_schema(raw(closed()))) == closed()
    with pytest.raises(Unsupported, match="its top"):
        strict_input_schema(raw({"$ref": "#/$defs/A", "$defs": {"A": closed()}}))


def test_a_strict_tool_with_alternatives_keeps_all_their_properties():
    definitions = {"A": {**opened(kind={"const": "a"}), "required": ["kind"]}, "B": opened(kind={"const": "b"}, b=TEXT)}
    merged, _ = input_schema(raw({"anyOf": [{"$ref": "#/$defs/A"}, {"$ref": "#/$defs/B"}], "$defs": definitions}))
    strict = msgspec.json.decode(strict_input_schema(merged))
    assert strict["properties"] == {"kind": {"anyOf": [{"const": "a"}, {"const": "b"}]}, "b": TEXT}
    assert "$defs" not in strict


def test_alternatives_with_free_property_names_are_not_strict():
    merged, _ = input_schema(raw({"anyOf": [opened(a=TEXT), {"type": "object", "additionalProperties": TEXT}]}))
    with pytest.raises(Unsupported, match="free property names"):
        strict_input_schema(merged)


def test_a_property_that_another_alternative_takes_by_any_name_may_hold_anything():
    found = sent({"anyOf": [opened(a={"type": "integer"}), {**opened(), "additionalProperties": TEXT}]})
    assert found["properties"] == {"a": {"anyOf": [{"type": "integer"}, {}]}}


@settings(max_examples=300, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
@given(schema=SCHEMAS, values=VALUES.flatmap(lambda value: VALUES.map(lambda other: [value, {"a": value, "b": other}])))
def test_input_that_is_valid_for_the_clients_schema_is_valid_for_the_one_sent(
    schema: dict[str, Any], values: list[Any]
):
    merged, _ = input_schema(raw(schema))
    theirs, ours = Draft202012Validator(schema), Draft202012Validator(msgspec.json.decode(merged))
    closed_ = Draft202012Validator(with_closed_objects(schema))
    try:
        strict = Draft202012Validator(msgspec.json.decode(strict_input_schema(merged)))
    except Unsupported:
        strict = None
    for value in values:
        if isinstance(value, dict) and closed_.is_valid(value):
            assert ours.is_valid(value)
            assert strict is None or strict.is_valid(value)
        assert (
            not (isinstance(value, dict) and theirs.is_valid(value)) or msgspec.json.decode(merged)["type"] == "object"
        )


@pytest.mark.parametrize(
    ("parameter", "repaired", "change"),
    [
        ({"type": "array", "items": [TEXT, {"type": "null"}]},
         {"type": "array", "prefixItems": [TEXT, {"type": "null"}]}, "a list in `items` became `prefixItems`"),
        ({"items": [TEXT], "additionalItems": False}, {"prefixItems": [TEXT], "items": False},
         "a list in `items` became `prefixItems`"),
        ({"type": "number", "minimum": 1, "exclusiveMinimum": True}, {"type": "number", "exclusiveMinimum": 1},
         "`exclusiveMinimum` became a number"),
        ({"maximum": 1, "exclusiveMaximum": False}, {"maximum": 1}, "`exclusiveMaximum` became a number"),
        ({"type": "object", "properties": []}, {"type": "object", "properties": {}}, "`properties` became an object"),
        ({"type": "any"}, {}, 'the type "any" was left out'),
        ({"type": ["string", "any"]}, {}, 'the type ["string","any"] was left out'),
        ({"type": None}, {}, "the type null was left out"),
        ({"type": "dict"}, {"type": "object"}, 'the type "dict" became "object"'),
        ({"type": ["str", "None"]}, {"type": ["string", "null"]}, 'the type ["str","None"] became ["string","null"]'),
        ({"type": "string", "required": True}, TEXT, "a `required` that was no list was left out"),
        ({"anyOf": [{"type": "String"}, {"not": {"type": "any"}}]}, {"anyOf": [TEXT, {"not": {}}]},
         'the type "String" became "string"; the type "any" was left out'),
    ],
)  # fmt: skip
def test_the_forms_of_older_drafts_are_repaired_with_a_note(parameter: Any, repaired: Any, change: str):
    for nested in (
        opened(p=parameter),
        opened(q={"items": opened(p=parameter)}),
        {**opened(), "$defs": {"p": parameter}},
    ):
        schema, said = input_schema(raw(nested))
        assert msgspec.json.decode(schema) == msgspec.json.decode(
            msgspec.json.encode(nested).replace(msgspec.json.encode(parameter), msgspec.json.encode(repaired))
        )
        assert said is not None
        assert sorted(said.split("; ")) == sorted(change.split("; "))


def test_values_are_not_repaired():
    text = raw(opened(p={"enum": [{"type": "any"}], "default": {"properties": []}, "const": {"items": [1]}}))
    assert input_schema(text) == (text, None)


def test_alternatives_with_an_undefined_reference_are_sent_openly_and_never_strict():
    schema = Raw(b'{"anyOf":[{"$ref":"#/$defs/A"},{"$ref":"#/$defs/Missing"}],"$defs":{"A":{"type":"object"}}}')
    sent, change = input_schema(schema)
    assert change is not None
    assert msgspec.json.decode(sent)["additionalProperties"] == {}
    with pytest.raises(Unsupported):
        strict_input_schema(sent)
