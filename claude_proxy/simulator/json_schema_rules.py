"""The subset of JSON Schema accepted for structured outputs and strict tools, with the API's error messages."""

from collections.abc import Iterator
from typing import Any

from claude_proxy.simulator.api_error import invalid
from claude_proxy.simulator.schema_sample import pointed

TYPES = ("object", "array", "string", "integer", "number", "boolean", "null")
_FORMATS = frozenset({"date-time", "time", "date", "duration", "email", "hostname", "uri", "ipv4", "ipv6", "uuid"})
_EVERYWHERE = frozenset(
    {"type", "enum", "const", "anyOf", "allOf", "$ref", "$defs", "definitions", "default", "title", "description"}
    | {"$schema", "$id", "$comment", "examples"}
)
_BY_TYPE = {
    "object": frozenset({"properties", "required", "additionalProperties"}),
    "array": frozenset({"items", "minItems"}),
    "string": frozenset({"format", "pattern"}),
}


def check(schema: dict[str, Any], param: str) -> None:
    """Raises a 400 for the first thing in `schema` that is outside the subset."""
    _recursion(schema, schema, param, (), set())
    _check(schema, param)


def _check(schema: Any, param: str) -> None:
    if not isinstance(schema, dict):
        raise invalid(f"{param}: Schema should be an object")
    for name in ("oneOf", "not", "if"):
        if name in schema:
            raise invalid(f"{param}: Schema type '{name}' is not supported")
    if isinstance(ref := schema.get("$ref"), str) and not ref.startswith("#"):
        raise invalid(f"{param}: External schema references are not supported: {ref}")
    for type_ in _types(schema):
        _keywords(schema, type_, param)
    for part in _subschemas(schema):
        _check(part, param)


def _types(schema: dict[str, Any]) -> list[str | None]:
    """The types that `schema` names, or None for a schema that names none."""
    types = schema.get("type")
    types = types if isinstance(types, list) else [types]
    return ["object"] if types == [None] and "properties" in schema else types


def _keywords(schema: dict[str, Any], type_: str | None, param: str) -> None:
    if type_ is not None and type_ not in TYPES:
        raise invalid(f"{param}: '{type_}' is not a valid type")
    if type_ == "object" and schema.get("additionalProperties") is not False:
        raise invalid(f"{param}: For 'object' type, 'additionalProperties' must be explicitly set to false")
    if type_ == "array" and schema.get("minItems", 0) not in (0, 1):
        raise invalid(f"{param}: For 'array' type, 'minItems' values other than 0 or 1 are not supported")
    if type_ == "string" and schema.get("format", "date") not in _FORMATS:
        raise invalid(f"{param}: For 'string' type, 'format' value '{schema['format']}' is not supported")
    allowed = _EVERYWHERE.union(*(_BY_TYPE.get(one or "", frozenset()) for one in _types(schema)))
    for name in schema:
        if name not in allowed:
            raise invalid(f"{param}: For '{type_ or 'any'}' type, property '{name}' is not supported")


def _subschemas(schema: dict[str, Any]) -> Iterator[Any]:
    """The schemas inside `schema`, one level down."""
    for name in ("properties", "$defs", "definitions"):
        if isinstance(members := schema.get(name), dict):
            yield from members.values()
    for name in ("anyOf", "allOf"):
        if isinstance(branches := schema.get(name), list):
            yield from branches
    if "items" in schema:
        yield schema["items"]


def _recursion(schema: Any, root: dict[str, Any], param: str, path: tuple[str, ...], done: set[str]) -> None:
    """Raises for a schema that contains itself through references; those in `done` were already checked."""
    if not isinstance(schema, dict):
        return
    ref = schema.get("$ref")
    if isinstance(ref, str) and ref.startswith("#"):
        if ref in path:
            raise invalid(f"{param}: Circular reference detected in schema definitions: {' -> '.join((*path, ref))}")
        if ref not in done:
            _recursion(pointed(ref, root), root, param, (*path, ref), done)
            done.add(ref)
    for part in _subschemas({name: value for name, value in schema.items() if name not in {"$defs", "definitions"}}):
        _recursion(part, root, param, path, done)


def optional_parameters(schema: Any) -> int:
    """The number of optional properties in `schema`, at any depth."""
    if not isinstance(schema, dict):
        return 0
    here = len(set(schema.get("properties") or {}) - set(schema.get("required") or []))
    return here + sum(map(optional_parameters, _subschemas(schema)))


def union_parameters(schema: Any) -> int:
    """The number of schemas in `schema` with several types, at any depth."""
    if not isinstance(schema, dict):
        return 0
    here = isinstance(schema.get("type"), list) or "anyOf" in schema
    return here + sum(map(union_parameters, _subschemas(schema)))
