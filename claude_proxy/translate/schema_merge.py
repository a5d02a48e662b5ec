"""JSON schemas as sets of values: references resolved, and two schemas intersected into one.

Claude's grammar has closed objects only, and closed objects cannot be combined by `allOf`: each forbids the properties
of the other. So what a schema combines is merged before it is translated. A result may allow more than its parts do
together, and never less.
"""

from collections.abc import Mapping
from graphlib import CycleError, TopologicalSorter

Json = dict[str, "Json"] | list["Json"] | str | int | float | bool | None
JsonObject = dict[str, Json]

# Keywords that describe a schema and allow or forbid nothing.
ANNOTATIONS = frozenset(
    {"$comment", "$id", "$schema", "default", "deprecated", "description", "examples", "readOnly", "title", "writeOnly"}
)
_DEFINITIONS = ("$defs", "definitions")
_LARGER = frozenset({"minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties"})
_SMALLER = frozenset({"maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties"})
_MAX_ALTERNATIVES = 32
# Of a schema that combines its definitions again and again, which can double its size at each level.
MAX_STEPS = 20_000


class Unsupported(ValueError):
    """The schema says something that the grammar cannot."""


class Contradiction(Unsupported):
    """No value is valid for both of two schemas."""


class Definitions:
    """The definitions of one schema, by reference."""

    def __init__(self, root: JsonObject) -> None:
        self._steps = 0
        self._schemas: Mapping[str, Json] = {
            f"#/{key}/{name}": schema
            for key in _DEFINITIONS
            if isinstance(group := root.get(key), dict)
            for name, schema in group.items()
        }
        self._root = root

    def check(self) -> None:
        """Raise Unsupported for a reference without a definition, and for a cycle."""
        for reference in sorted(_references(self._root)):
            if reference not in self._schemas:
                raise _undefined(reference)
        try:
            TopologicalSorter({name: _references(schema) for name, schema in self._schemas.items()}).prepare()
        except CycleError:
            raise Unsupported("it is recursive") from None

    def __getitem__(self, reference: str) -> JsonObject:
        if reference not in self._schemas:
            raise _undefined(reference)
        schema = self._schemas[reference]
        if not isinstance(schema, dict):
            raise Unsupported("a part of it allows anything or nothing")
        return schema

    def count_step(self) -> None:
        self._steps += 1
        if self._steps > MAX_STEPS:
            raise Unsupported("it is too complex")

    def resolve(self, schema: JsonObject) -> JsonObject:
        """`schema` without a `$ref` at its top: merged with what it refers to."""
        while isinstance(reference := schema.get("$ref"), str):
            rest = {key: value for key, value in schema.items() if key != "$ref"}
            schema = intersection(rest, self[reference], self)
        return schema

    def flatten(self, schema: JsonObject) -> JsonObject:
        """`schema` with its `allOf` merged into it; a `$ref` stays where nothing but annotations stands beside it."""
        while True:
            match schema.get("allOf"):
                case list() as branches:
                    schema = {key: value for key, value in schema.items() if key != "allOf"}
                    for branch in branches:
                        if not isinstance(branch, dict):
                            raise Unsupported("a part of it allows anything or nothing")
                        schema = intersection(schema, branch, self)
                case _ if "$ref" in schema and schema.keys() - ANNOTATIONS - {"$ref", *_DEFINITIONS}:
                    schema = self.resolve(schema)
                case _:
                    return schema

    def expand(self, schema: JsonObject) -> JsonObject:
        """`schema` without `$ref` and `allOf` at its top."""
        schema = self.flatten(schema)
        while "$ref" in schema:
            schema = self.flatten(self.resolve(schema))
        return schema


def _undefined(reference: str) -> Unsupported:
    if reference == "#":
        return Unsupported("it refers to itself")
    return Unsupported(f"it refers to '{reference}', which it does not define")


def intersection(left: JsonObject, right: JsonObject, definitions: Definitions) -> JsonObject:
    """One schema for the values that both allow; annotations of `left` win.

    Raises Contradiction where there is no such value, and Unsupported where the two cannot be merged.
    """
    definitions.count_step()
    if not (left.keys() - ANNOTATIONS and right.keys() - ANNOTATIONS):
        return {**right, **left}
    left, right = definitions.resolve(left), definitions.resolve(right)
    merged = {**right, **left}
    for key in left.keys() & right.keys():
        if left[key] != right[key]:
            merged[key] = _both(key, left[key], right[key], definitions)
    return merged


def _both(key: str, left: Json, right: Json, definitions: Definitions) -> Json:  # noqa: C901 - one row per keyword
    match key, left, right:
        case ("properties", dict(), dict()):
            return _both_properties(left, right, definitions)
        case ("items", dict(), dict()):
            return _both_parts(left, right, definitions)
        case ("required", list(), list()):
            return [*left, *(name for name in right if name not in left)]
        case ("type", _, _):
            return _both_types(left, right)
        case ("enum", list(), list()):
            return _not_empty([value for value in left if _is_among(value, right)])
        case ("const", _, _):
            raise Contradiction("no value satisfies it")
        case ("additionalProperties", _, _):
            schemas = [value for value in (left, right) if isinstance(value, dict)]
            return schemas[0] if schemas else False
        case ("allOf", list(), list()):
            return [*left, *right]
        case ("anyOf" | "oneOf", list(), list()) if len(left) * len(right) <= _MAX_ALTERNATIVES:
            return [{"allOf": [one, other]} for one in left for other in right]
        case (_, int() | float(), int() | float()) if key in _LARGER:
            return max(left, right)
        case (_, int() | float(), int() | float()) if key in _SMALLER:
            return min(left, right)
        case _ if key in ANNOTATIONS or key in _DEFINITIONS:
            return left
    raise Unsupported(f"it combines several values of `{key}`")


def _both_properties(left: JsonObject, right: JsonObject, definitions: Definitions) -> JsonObject:
    merged = {**left, **right}
    for name in left.keys() & right.keys():
        merged[name] = _both_parts(left[name], right[name], definitions)
    return merged


def _both_parts(left: Json, right: Json, definitions: Definitions) -> Json:
    """The intersection of a property's or the items' schemas."""
    if left == right:
        return left
    if not (isinstance(left, dict) and isinstance(right, dict)):
        raise Unsupported("a part of it allows anything or nothing")
    try:
        return intersection(left, right, definitions)
    except Contradiction:  # an object without the property, and an empty array, are still valid
        raise Unsupported("it defines a part of it in two ways that exclude each other") from None


def _both_types(left: Json, right: Json) -> Json:
    ours, theirs = _types(left), _types(right)
    if "number" in theirs:
        theirs = [*theirs, "integer"]
    both = [name for name in ours if name in theirs]
    if "number" in ours and "integer" in theirs and "number" not in theirs:
        both.append("integer")
    names: list[Json] = [*dict.fromkeys(both)]
    return _not_empty(names) if len(names) != 1 else names[0]


def _types(value: Json) -> list[str]:
    names = value if isinstance(value, list) else [value]
    return [name for name in names if isinstance(name, str)]


def _not_empty(values: list[Json]) -> list[Json]:
    if not values:
        raise Contradiction("no value satisfies it")
    return values


def _is_among(value: Json, values: list[Json]) -> bool:
    """Whether JSON's `value` is in `values`: for Python true equals 1."""
    return any(value == other and isinstance(value, bool) == isinstance(other, bool) for other in values)


def _references(value: Json) -> set[str]:
    found: set[str] = set()
    waiting: list[Json] = [value]
    while waiting:
        match waiting.pop():
            case dict() as node:
                if isinstance(reference := node.get("$ref"), str):
                    found.add(reference)
                waiting.extend(node.values())
            case list() as items:
                waiting.extend(items)
    return found
