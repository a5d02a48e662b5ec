"""The smallest value that satisfies a JSON schema: what a simulated model puts into a tool call.

Deterministic and without search: it follows required properties, constants, enums, bounds, references and the first
branch of a choice. A schema that contradicts itself gets a value that does not satisfy it; nothing could.
"""

import math
from typing import Any

TEXT = "simulated"
_MAX_DEPTH = 24  # of a recursive schema whose recursion is required; no finite value exists for that

_FORMATS = {
    "date-time": "2026-01-01T00:00:00Z",
    "date": "2026-01-01",
    "time": "00:00:00Z",
    "duration": "P1D",
    "email": "simulated@example.com",
    "hostname": "example.com",
    "uri": "https://example.com/",
    "ipv4": "192.0.2.1",
    "ipv6": "2001:db8::1",
    "uuid": "00000000-0000-4000-8000-000000000000",
}


def sample(schema: Any, root: dict[str, Any] | None = None, depth: int = 0) -> Any:
    """A minimal instance of `schema`; `root` is where its references point into (itself by default)."""
    if not isinstance(schema, dict) or depth > _MAX_DEPTH:
        return TEXT if schema is True else None
    root = schema if root is None else root
    schema = _resolved(schema, root)
    if "const" in schema:
        return schema["const"]
    if schema.get("enum"):
        return schema["enum"][0]
    for choice in ("anyOf", "oneOf"):
        if schema.get(choice):
            rest = {key: value for key, value in schema.items() if key != choice}
            return sample(_merged(rest, schema[choice][0], root), root, depth + 1)
    match _type(schema):
        case "object":
            return _object(schema, root, depth)
        case "array":
            return _array(schema, root, depth)
        case "integer" | "number" as kind:
            return _number(schema, whole=kind == "integer")
        case "boolean":
            return True
        case "null":
            return None
        case _:
            return _string(schema)


def _resolved(schema: dict[str, Any], root: dict[str, Any]) -> dict[str, Any]:
    """`schema` with its reference followed and its `allOf` folded in."""
    seen: set[str] = set()
    while isinstance(ref := schema.get("$ref"), str) and ref not in seen:
        seen.add(ref)
        rest = {key: value for key, value in schema.items() if key != "$ref"}
        schema = _merged(rest, pointed(ref, root), root)
    for branch in schema.get("allOf") or []:
        schema = _merged(schema, _resolved(branch, root) if isinstance(branch, dict) else {}, root)
    return schema


def _merged(one: dict[str, Any], other: Any, root: dict[str, Any]) -> dict[str, Any]:
    if not isinstance(other, dict):
        return one
    both = one | other
    both["properties"] = (one.get("properties") or {}) | (other.get("properties") or {})
    both["required"] = [*one.get("required", []), *other.get("required", [])]
    return both


def pointed(ref: str, root: dict[str, Any]) -> Any:
    """The part of `root` that a local reference like `#/$defs/city` points to; {} if there is none."""
    value: Any = root
    for step in ref.removeprefix("#").split("/")[1:]:
        step = step.replace("~1", "/").replace("~0", "~")  # noqa: PLW2901 - RFC 6901 escapes
        value = value.get(step, {}) if isinstance(value, dict) else {}
    return value


def _type(schema: dict[str, Any]) -> str:
    kind = schema.get("type")
    if isinstance(kind, list):
        kind = next((one for one in kind if one != "null"), "null")
    if isinstance(kind, str):
        return kind
    if schema.get("properties") or "additionalProperties" in schema:
        return "object"
    if "items" in schema:
        return "array"
    return "number" if "minimum" in schema or "maximum" in schema else "string"


def _object(schema: dict[str, Any], root: dict[str, Any], depth: int) -> dict[str, Any]:
    properties = schema.get("properties") or {}
    names = dict.fromkeys(schema.get("required") or [])
    return {name: sample(properties.get(name, True), root, depth + 1) for name in names}


def _array(schema: dict[str, Any], root: dict[str, Any], depth: int) -> list[Any]:
    first = schema.get("prefixItems") or []
    number = max(schema.get("minItems", 0), len(first))
    rest = schema.get("items", True)
    return [sample(first[n] if n < len(first) else rest, root, depth + 1) for n in range(number)]


def _number(schema: dict[str, Any], *, whole: bool) -> Any:
    step = schema.get("multipleOf") or 1
    low = schema.get("minimum", schema.get("exclusiveMinimum"))
    high = schema.get("maximum", schema.get("exclusiveMaximum"))
    if low is None:
        if high is None or high > 0:
            return 0
        value = math.floor(high / step) * step
        return value - step if "exclusiveMaximum" in schema and value >= high else value
    value = math.ceil(low / step) * step
    if "exclusiveMinimum" in schema and value <= schema["exclusiveMinimum"]:
        value += step
    return int(value) if whole else value


def _string(schema: dict[str, Any]) -> str:
    if (known := _FORMATS.get(schema.get("format", ""))) is not None:
        return known
    text = TEXT + "." * max(0, int(schema.get("minLength", 0)) - len(TEXT))
    return text[: int(schema.get("maxLength", len(text)))]
