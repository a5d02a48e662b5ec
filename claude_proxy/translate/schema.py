"""JSON schemas: the part of the language that Claude's grammar takes, and tool schemas as the API wants them.

Source: Anthropic's "Structured outputs" page ("JSON Schema limitations") and the 400 texts of the Messages API.
What the grammar cannot hold moves into the description, where the model still reads it. What cannot be said at
all (recursion, free-form maps, open objects) raises Unsupported, and the caller falls back openly.
"""

from graphlib import CycleError, TopologicalSorter

import msgspec
from msgspec import Raw

from claude_proxy.wire.decoding import repaired

Json = dict[str, "Json"] | list["Json"] | str | int | float | bool | None
JsonObject = dict[str, Json]

_PRIMITIVE = (str, int, float, bool, type(None))
_FORMATS = frozenset({"date-time", "time", "date", "duration", "email", "hostname", "uri", "ipv4", "ipv6", "uuid"})
_TYPES = ("object", "array", "string", "integer", "number", "boolean", "null")
_COMBINED = ("oneOf", "anyOf", "allOf")
_MAX_DEPTH = 100

_read = msgspec.json.Decoder(dict[str, object]).decode


class Unsupported(ValueError):
    """The schema says something that the grammar cannot."""


def read_schema(raw: Raw) -> JsonObject | None:
    """The schema in `raw`; None where it is `null` or absent. Raises msgspec.ValidationError if it is no object."""
    data = repaired(bytes(raw))
    if data in (b"", b"null"):
        return None
    return _read(data)  # type: ignore[return-value] # a JSON object holds JSON


def strict_schema(schema: JsonObject) -> JsonObject:
    """`schema` as the grammar takes it. Raises Unsupported with the reason."""
    _check_references(schema)
    return _node(schema, 0)


def _node(value: Json, depth: int) -> JsonObject:
    if depth > _MAX_DEPTH:
        raise Unsupported("it is nested too deeply")
    if not isinstance(value, dict):
        raise Unsupported("a part of it allows anything or nothing")
    rest = dict(value)
    rest.pop("$schema", None)
    rest.pop("$id", None)
    strict: JsonObject = {}
    for key in ("$defs", "definitions"):
        if isinstance(definitions := rest.pop(key, None), dict):
            strict[key] = {name: _node(schema, depth + 1) for name, schema in definitions.items()}
    match rest.get("allOf"):
        case [dict() as only]:  # how generators hang a description on a reference
            del rest["allOf"]
            rest = {**only, **rest}
    if isinstance(reference := rest.pop("$ref", None), str):
        return {**strict, "$ref": reference}
    _literals(rest, strict)
    _combinations(rest, strict, depth)
    if not strict.keys() & {"enum", "const", "anyOf", "allOf"}:
        _typed(rest, strict, depth)
    else:
        rest.pop("type", None)
    for key in ("title", "description", "default"):
        if key in rest:
            strict[key] = rest.pop(key)
    return _described(strict, rest)


def _literals(rest: JsonObject, strict: JsonObject) -> None:
    values = rest.get("enum")
    if isinstance(values, list) and values and all(isinstance(value, _PRIMITIVE) for value in values):
        strict["enum"] = rest.pop("enum")
    if "const" in rest and isinstance(rest["const"], _PRIMITIVE):
        strict["const"] = rest.pop("const")


def _combinations(rest: JsonObject, strict: JsonObject, depth: int) -> None:
    for key, ours in (("anyOf", "anyOf"), ("oneOf", "anyOf"), ("allOf", "allOf")):
        branches = rest.get(key)
        if ours not in strict and isinstance(branches, list) and branches:
            strict[ours] = [_node(branch, depth + 1) for branch in branches]
            rest.pop(key)
    if any(isinstance(branch, dict) and "$ref" in branch for branch in _items(strict.get("allOf"))):
        raise Unsupported("it combines a reference with other rules (`allOf`)")
    types = rest.get("type")
    if isinstance(types, list) and types and "anyOf" not in strict and not strict.keys() & {"enum", "const"}:
        rest.pop("type")
        kept: JsonObject = {key: rest.pop(key) for key in ("description", "title", "default") if key in rest}
        strict["anyOf"] = [_node({**rest, "type": name}, depth + 1) for name in types]
        rest.clear()
        rest.update(kept)


_KEYWORDS_OF = {
    "object": ("properties", "required", "additionalProperties", "minProperties", "maxProperties", "patternProperties"),
    "array": ("items", "minItems", "maxItems", "uniqueItems", "prefixItems"),
    "string": ("minLength", "maxLength", "pattern", "format"),
    "number": ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"),
}


def _typed(rest: JsonObject, strict: JsonObject, depth: int) -> None:
    type_ = rest.pop("type", None) or ("object" if "properties" in rest else "array" if "items" in rest else None)
    if type_ not in _TYPES:
        raise Unsupported(f"a part of it has the type {type_!r}" if type_ else "a part of it has no type")
    strict["type"] = type_
    _drop_foreign(rest, type_)
    match type_:
        case "object":
            _object(rest, strict, depth)
        case "array":
            if "items" in rest:
                strict["items"] = _node(rest.pop("items"), depth + 1)
            if rest.get("minItems") in (0, 1):
                strict["minItems"] = rest.pop("minItems")
        case "string":
            if rest.get("format") in _FORMATS:
                strict["format"] = rest.pop("format")


def _drop_foreign(rest: JsonObject, type_: Json) -> None:
    """Keywords that say nothing about `type_` (left over from a list of types) are no loss."""
    mine = _KEYWORDS_OF.get("number" if type_ == "integer" else str(type_), ())
    for keywords in _KEYWORDS_OF.values():
        for keyword in keywords:
            if keyword not in mine:
                rest.pop(keyword, None)


def _object(rest: JsonObject, strict: JsonObject, depth: int) -> None:
    properties = rest.pop("properties", None)
    additional = rest.pop("additionalProperties", None)
    open_ = isinstance(additional, dict) or additional is True
    if "patternProperties" in rest or (open_ and not properties):
        raise Unsupported("it has an object with free property names")
    if not isinstance(properties, dict):
        if additional is not False:
            raise Unsupported("it has an object without named properties")
        properties = {}
    strict["properties"] = {name: _node(schema, depth + 1) for name, schema in properties.items()}
    strict["additionalProperties"] = False
    if required := _texts(rest.pop("required", None)):
        strict["required"] = [name for name in required if name in properties]


def _described(strict: JsonObject, rest: JsonObject) -> JsonObject:
    if rest:
        told = ", ".join(f"{key}: {msgspec.json.encode(value).decode()}" for key, value in rest.items())
        description = strict.get("description")
        strict["description"] = f"{description}\n\n{{{told}}}" if description else f"{{{told}}}"
    return strict


def complexity(schema: Raw) -> tuple[int, int]:
    """How many optional properties and how many unions a schema has, which upstream counts and bounds."""
    optional = unions = 0
    waiting: list[Json] = [read_schema(schema)]
    while waiting:
        match waiting.pop():
            case dict() as node:
                unions += isinstance(node.get("anyOf"), list)
                if isinstance(properties := node.get("properties"), dict):
                    optional += len(properties.keys() - set(_texts(node.get("required"))))
                waiting.extend(node.values())
            case list() as items:
                waiting.extend(items)
    return optional, unions


def _check_references(schema: JsonObject) -> None:
    definitions = {
        f"#/{key}/{name}": _references(value)
        for key in ("$defs", "definitions")
        if isinstance(group := schema.get(key), dict)
        for name, value in group.items()
    }
    for reference in sorted(_references(schema)):
        if reference not in definitions:
            raise Unsupported(
                "it refers to itself" if reference == "#" else f"it refers to '{reference}', which it does not define"
            )
    try:
        TopologicalSorter(definitions).prepare()
    except CycleError:
        raise Unsupported("it is recursive") from None


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


# ------------------------------------------------------------------------------------------------------ tools

EMPTY_INPUT = Raw(b'{"type":"object","properties":{}}')


def input_schema(raw: Raw) -> tuple[Raw, str | None]:
    """A tool's parameters as `input_schema`, and what was changed, if anything.

    They travel as they came where upstream takes them: an object schema without alternatives at its top. Raises
    msgspec.ValidationError if `raw` is no JSON object.
    """
    schema = read_schema(raw)
    if not schema:
        return EMPTY_INPUT, None
    if any(key in schema for key in _COMBINED):
        return Raw(msgspec.json.encode(_merged(schema))), "alternatives at the top of the schema were merged"
    if schema.get("type") != "object":
        return Raw(msgspec.json.encode({**schema, "type": "object"})), "the schema was given the type 'object'"
    return Raw(repaired(bytes(raw))), None


def strict_input_schema(schema: Raw) -> Raw:
    """A tool's `input_schema` as the grammar takes it. Raises Unsupported with the reason."""
    strict = strict_schema(read_schema(schema) or {})
    if strict.get("type") != "object":
        raise Unsupported("its top is no object but a reference to one")
    return Raw(msgspec.json.encode(strict))


def _merged(schema: JsonObject) -> JsonObject:
    """One object schema for alternatives: all their properties, and required what all of them require."""
    rest = {key: value for key, value in schema.items() if key not in _COMBINED}
    own = rest.get("properties")
    properties: JsonObject = dict(own) if isinstance(own, dict) else {}
    required = set(_texts(rest.get("required")))
    for key in _COMBINED:
        branches = schema.get(key)
        if not isinstance(branches, list):
            continue
        objects = [branch for branch in branches if isinstance(branch, dict)]
        demands = []
        for branch in objects:
            if isinstance(theirs := branch.get("properties"), dict):
                properties |= {name: value for name, value in theirs.items() if name not in properties}
            demands.append(set(_texts(branch.get("required"))))
        if demands:
            required |= set.union(*demands) if key == "allOf" else set.intersection(*demands)
    merged: JsonObject = {**rest, "type": "object", "properties": properties}
    merged.pop("required", None)
    if required:
        merged["required"] = [name for name in properties if name in required]
    rule: JsonObject = {key: schema[key] for key in _COMBINED if key in schema}
    return _described(merged, rule)


def _items(value: Json) -> list[Json]:
    return value if isinstance(value, list) else []


def _texts(value: Json) -> list[str]:
    return [item for item in _items(value) if isinstance(item, str)]
