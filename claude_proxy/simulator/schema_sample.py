"""A minimal value for a JSON schema, used as the input of simulated tool calls.

Deterministic and without search: it follows required properties, constants, enums, bounds, references and the first
branch of a choice. A schema that contradicts itself gets a value that does not satisfy it; nothing could. A schema
without end (it requires itself, or is astronomically large) gets null where the patience ends.
"""

import math
from typing import Any

TEXT = "simulated"
_PATIENCE = 2000  # schemas visited for one value
_DEEPEST = 30  # nesting levels of one value
_LONGEST = 10_000  # characters of one string

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


def sample(schema: Any) -> Any:
    """A minimal instance of `schema`."""
    return _Sampler(schema if isinstance(schema, dict) else {}).value(schema, 0)


class _Sampler:
    """Makes values for the parts of one schema, whose references point into `root`."""

    def __init__(self, root: dict[str, Any]) -> None:
        self._root = root
        self._left = _PATIENCE

    def value(self, schema: Any, depth: int) -> Any:
        self._left -= 1
        if not isinstance(schema, dict) or self._left < 0 or depth > _DEEPEST:
            return TEXT if schema is True else None
        schema = self._resolved(schema, depth)
        if "const" in schema:
            return schema["const"]
        for choice in ("enum", "anyOf", "oneOf"):
            if isinstance(branches := schema.get(choice), list) and branches:
                rest = {key: value for key, value in schema.items() if key != choice}
                return branches[0] if choice == "enum" else self.value(_merged(rest, branches[0]), depth + 1)
        match _type(schema):
            case "object":
                return self._object(schema, depth + 1)
            case "array":
                return self._array(schema, depth + 1)
            case "integer" | "number" as kind:
                return _number(schema, whole=kind == "integer")
            case "boolean":
                return True
            case "null":
                return None
            case _:
                return _string(schema)

    def _resolved(self, schema: dict[str, Any], depth: int) -> dict[str, Any]:
        """`schema` with its references resolved and its `allOf` merged."""
        while isinstance(ref := schema.get("$ref"), str) and self._left > 0:
            self._left -= 1
            rest = {key: value for key, value in schema.items() if key != "$ref"}
            schema = _merged(rest, pointed(ref, self._root))
        branches = schema.get("allOf")
        for branch in branches if isinstance(branches, list) and depth < _DEEPEST else ():
            if isinstance(branch, dict) and self._left > 0:
                self._left -= 1
                schema = _merged(schema, self._resolved(branch, depth + 1))
        return schema

    def _object(self, schema: dict[str, Any], depth: int) -> dict[str, Any]:
        properties = _mapping(schema.get("properties"))
        return {str(name): self.value(properties.get(name, True), depth) for name in dict.fromkeys(_names(schema))}

    def _array(self, schema: dict[str, Any], depth: int) -> list[Any]:
        first = schema.get("prefixItems")
        first = first if isinstance(first, list) else []
        number = min(max(_count(schema, "minItems"), len(first)), max(self._left, 0))
        rest = schema.get("items", True)
        return [self.value(first[n] if n < len(first) else rest, depth) for n in range(number)]


def _merged(one: dict[str, Any], other: Any) -> dict[str, Any]:
    if not isinstance(other, dict):
        return one
    both = one | other
    if "properties" in one and "properties" in other:
        both["properties"] = _mapping(one["properties"]) | _mapping(other["properties"])
    if "required" in one or "required" in other:
        both["required"] = [*_names(one), *_names(other)]
    return both


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _names(schema: dict[str, Any]) -> list[str]:
    """The required properties."""
    required = schema.get("required")
    return [name for name in required if isinstance(name, str)] if isinstance(required, list) else []


def _count(schema: dict[str, Any], name: str) -> int:
    value = schema.get(name)
    return value if isinstance(value, int) and value > 0 else 0


def _bound(schema: dict[str, Any], name: str) -> float | None:
    value = schema.get(name)
    return value if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value) else None


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


def _number(schema: dict[str, Any], *, whole: bool) -> Any:
    step = _bound(schema, "multipleOf") or 1
    low, above = _bound(schema, "minimum"), _bound(schema, "exclusiveMinimum")
    high, below = _bound(schema, "maximum"), _bound(schema, "exclusiveMaximum")
    floor = max((one for one in (low, above) if one is not None), default=None)
    ceiling = min((one for one in (high, below) if one is not None), default=None)
    if floor is not None:
        value = math.ceil(floor / step) * step
        value += step if above is not None and value <= above else 0
    elif ceiling is None or ceiling > 0:
        value = 0
    else:
        value = math.floor(ceiling / step) * step
        value -= step if below is not None and value >= below else 0
    return int(value) if whole else value


def _string(schema: dict[str, Any]) -> str:
    known = _FORMATS.get(str(schema.get("format")))
    if known is not None:
        return known
    text = TEXT + "." * (min(_count(schema, "minLength"), _LONGEST) - len(TEXT))
    return text[: _count(schema, "maxLength")] if "maxLength" in schema else text
