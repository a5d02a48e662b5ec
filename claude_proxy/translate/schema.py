"""JSON schemas as Claude's grammar takes them: the part of the language that structured outputs and strict tools have.

Source: Anthropic's "Structured outputs" page ("JSON Schema limitations") and the 400 texts of the Messages API.
Every value that is valid for the client's schema is valid for the translated one, as long as its objects have only
properties that the schema names: the grammar closes every object. A rule that the grammar cannot hold moves into the
description, where the model reads it. A schema that would lose valid values (recursion, free property names, required
properties without a schema) raises Unsupported, and the caller falls back with a warning.
"""

import msgspec
from msgspec import Raw

from claude_proxy.translate.schema_merge import (
    ANNOTATIONS,
    Contradiction,
    Definitions,
    Json,
    JsonObject,
    Unsupported,
    intersection,
)
from claude_proxy.wire.decoding import repaired

_PRIMITIVE = (str, int, float, bool, type(None))
_FORMATS = frozenset({"date-time", "time", "date", "duration", "email", "hostname", "uri", "ipv4", "ipv6", "uuid"})
TYPES = ("object", "array", "string", "integer", "number", "boolean", "null")
_MAX_DEPTH = 100

_read = msgspec.json.Decoder(dict[str, object]).decode


def read_schema(raw: Raw) -> JsonObject | None:
    """The schema in `raw`; None where it is `null` or absent. Raises msgspec.ValidationError if it is not an object."""
    data = repaired(bytes(raw))
    if data in (b"", b"null"):
        return None
    return _read(data)  # type: ignore[return-value] # a JSON object holds JSON


def strict_schema(schema: JsonObject) -> JsonObject:
    """`schema` as the grammar takes it. Raises Unsupported with the reason."""
    try:
        return _Translator(schema).whole()
    except RecursionError:
        raise Unsupported("it is nested too deeply") from None


class _Translator:
    """Translates one schema, and those of its definitions that the result refers to."""

    def __init__(self, root: JsonObject) -> None:
        self._root = root
        self._definitions = Definitions(root)
        self._definitions.check()
        self._used: dict[str, None] = {}

    def whole(self) -> JsonObject:
        strict = self._node(self._root, 0)
        translated: set[str] = set()
        while waiting := self._used.keys() - translated:
            for reference in sorted(waiting):
                _, key, name = reference.split("/", 2)
                group = strict.setdefault(key, {})
                assert isinstance(group, dict)  # noqa: S101 - made above
                group[name] = self._node(self._definitions[reference], 0)
            translated |= waiting
        return strict

    def _node(self, value: Json, depth: int) -> JsonObject:
        self._definitions.count_step()
        if depth > _MAX_DEPTH:
            raise Unsupported("it is nested too deeply")
        if not isinstance(value, dict):
            raise Unsupported("a part of it allows anything or nothing")
        rest = self._definitions.flatten(value)
        rest = {key: item for key, item in rest.items() if key not in ("$schema", "$id", "$defs", "definitions")}
        if isinstance(reference := rest.pop("$ref", None), str):
            self._used[reference] = None
            return {"$ref": reference}
        for key in ("anyOf", "oneOf"):
            match rest.get(key):
                case [_, *_] as branches:
                    del rest[key]
                    return self._alternatives(branches, rest, depth)
        return self._plain(rest, depth)

    def _part(self, value: Json, depth: int) -> JsonObject:
        """The schema of a property or of items, which may have no valid value: the whole still has some without it."""
        try:
            return self._node(value, depth + 1)
        except Contradiction as exc:
            raise Unsupported(str(exc)) from None

    def _plain(self, rest: JsonObject, depth: int) -> JsonObject:
        """A schema without references and alternatives; `rest` holds what has not been translated yet."""
        strict: JsonObject = {}
        _literals(rest, strict)
        types = rest.get("type")
        if strict:
            rest.pop("type", None)
        elif isinstance(types, list) and types:
            del rest["type"]
            branches: list[Json] = [{"type": name, **_of_type(rest, name)} for name in types]
            return self._alternatives(branches, {key: rest[key] for key in rest if key in ANNOTATIONS}, depth)
        else:
            self._typed(rest, strict, depth)
        return _described(strict, rest)

    def _alternatives(self, branches: list[Json], rest: JsonObject, depth: int) -> JsonObject:
        """`branches` as `anyOf`; what stands beside them becomes a part of each."""
        base = {key: value for key, value in rest.items() if key not in ANNOTATIONS}
        strict: list[Json] = []
        for branch in branches:
            if branch is False:
                continue
            joined = base if base and branch is True else branch
            try:
                if base and isinstance(branch, dict):
                    joined = intersection(base, branch, self._definitions)
                strict.append(self._node(joined, depth + 1))
            except Contradiction:  # no value is valid for this branch
                continue
        if not strict:
            raise Contradiction("no value satisfies it")
        return _described({"anyOf": strict}, {key: rest[key] for key in rest if key in ANNOTATIONS})

    def _typed(self, rest: JsonObject, strict: JsonObject, depth: int) -> None:
        type_ = rest.pop("type", None) or ("object" if "properties" in rest else "array" if "items" in rest else None)
        if type_ not in TYPES:
            raise Unsupported(f"a part of it has the type {type_!r}" if type_ else "a part of it has no type")
        strict["type"] = type_
        kept = _of_type(rest, type_)
        rest.clear()
        rest.update(kept)
        match type_:
            case "object":
                self._object(rest, strict, depth)
            case "array":
                self._array(rest, strict, depth)
            case "string":
                if rest.get("format") in _FORMATS:
                    strict["format"] = rest.pop("format")

    def _array(self, rest: JsonObject, strict: JsonObject, depth: int) -> None:
        if "items" in rest:
            if "prefixItems" in rest:
                raise Unsupported("it has an array whose first items have other schemas")
            strict["items"] = self._part(rest.pop("items"), depth)
        if rest.get("minItems") in (0, 1):
            strict["minItems"] = rest.pop("minItems")

    def _object(self, rest: JsonObject, strict: JsonObject, depth: int) -> None:
        properties = rest.pop("properties", None)
        additional = [rest.pop(key, None) for key in ("additionalProperties", "unevaluatedProperties")]
        if "patternProperties" in rest or any(isinstance(value, dict) for value in additional):
            raise Unsupported("it has an object with free property names")
        if not isinstance(properties, dict):
            if True in additional:
                raise Unsupported("it has an object with free property names")
            if False not in additional:
                raise Unsupported("it has an object without named properties")
            properties = {}
        required = texts(rest.pop("required", None))
        conditional = {key: rest[key] for key in _CONDITIONAL if key in rest}
        if unnamed := sorted({*required, *_named(conditional)} - properties.keys()):
            raise Unsupported(f"it requires the property '{unnamed[0]}', which it does not define")
        strict["properties"] = {name: self._part(schema, depth) for name, schema in properties.items()}
        strict["additionalProperties"] = False
        if required:
            strict["required"] = list(dict.fromkeys(required))


def _literals(rest: JsonObject, strict: JsonObject) -> None:
    values = rest.get("enum")
    if isinstance(values, list) and values and all(isinstance(value, _PRIMITIVE) for value in values):
        strict["enum"] = rest.pop("enum")
    if "const" in rest and isinstance(rest["const"], _PRIMITIVE):
        strict["const"] = rest.pop("const")


# Keywords that allow or demand further properties under a condition.
_CONDITIONAL = ("if", "then", "else", "dependentSchemas", "dependentRequired", "dependencies")
_KEYWORDS_OF = {
    "object": (
        *("properties", "required", "additionalProperties", "unevaluatedProperties", "minProperties", "maxProperties"),
        *("patternProperties", "propertyNames", "dependentSchemas", "dependentRequired", "dependencies"),
    ),
    "array": ("items", "minItems", "maxItems", "uniqueItems", "prefixItems", "contains", "additionalItems"),
    "string": ("minLength", "maxLength", "pattern", "format"),
    "number": ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"),
}


def _of_type(schema: JsonObject, type_: Json) -> JsonObject:
    """`schema` without keywords for other types than `type_` (left over from a list of types), which have no effect."""
    mine = _KEYWORDS_OF.get("number" if type_ == "integer" else str(type_), ())
    foreign = {keyword for keywords in _KEYWORDS_OF.values() for keyword in keywords if keyword not in mine}
    return {key: value for key, value in schema.items() if key not in foreign}


def _named(value: Json) -> set[str]:
    """The names of all properties in `value`, at any depth."""
    found: set[str] = set()
    waiting: list[Json] = [value]
    while waiting:
        match waiting.pop():
            case dict() as node:
                found.update(texts(node.get("required")))
                for key in ("properties", "dependentRequired", "dependentSchemas", "dependencies"):
                    if isinstance(group := node.get(key), dict):
                        found.update(group)
                        found.update(name for names in group.values() for name in texts(names))
                waiting.extend(node.values())
            case list() as items:
                waiting.extend(items)
    return found


def _described(strict: JsonObject, rest: JsonObject) -> JsonObject:
    """`strict` with the annotations of `rest`, and its other keywords as text in the description."""
    for key in ("title", "description", "default"):
        if key in rest:
            strict[key] = rest.pop(key)
    return described(strict, rest)


def described(schema: JsonObject, rules: JsonObject) -> JsonObject:
    """`schema` with `rules` as text at the end of its description."""
    if rules:
        text = ", ".join(f"{key}: {msgspec.json.encode(value).decode()}" for key, value in rules.items())
        description = schema.get("description")
        schema["description"] = f"{description}\n\n{{{text}}}" if description else f"{{{text}}}"
    return schema


def complexity(schema: Raw) -> tuple[int, int]:
    """How many optional properties and how many unions a schema has, which upstream counts and bounds."""
    optional = unions = 0
    waiting: list[Json] = [read_schema(schema)]
    while waiting:
        match waiting.pop():
            case dict() as node:
                unions += isinstance(node.get("anyOf"), list)
                if isinstance(properties := node.get("properties"), dict):
                    optional += len(properties.keys() - set(texts(node.get("required"))))
                waiting.extend(node.values())
            case list() as items:
                waiting.extend(items)
    return optional, unions


def texts(value: Json) -> list[str]:
    """The texts in the list `value`."""
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []
