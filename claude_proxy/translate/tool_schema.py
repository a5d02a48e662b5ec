"""The schema of a tool's input, as the Messages API wants it: JSON Schema 2020-12 with an object at its top.

Source: Anthropic's "Define tools" page and the API's 400 "input_schema does not support oneOf, allOf, or anyOf at the
top level". What older drafts and careless generators write is repaired, and each change is said in a note.
"""

import re

import msgspec
from msgspec import Raw

from claude_proxy.translate.schema import TYPES, described, read_schema, strict_schema, texts
from claude_proxy.translate.schema_merge import Contradiction, Definitions, Json, JsonObject, Unsupported, intersection
from claude_proxy.wire.decoding import repaired

EMPTY_INPUT = Raw(b'{"type":"object","properties":{}}')
_ALTERNATIVES = ("anyOf", "oneOf")
_COMBINED = ("allOf", *_ALTERNATIVES)


def input_schema(raw: Raw) -> tuple[Raw, str | None]:
    """A tool's parameters as `input_schema`, and what was changed, if anything.

    They are sent byte for byte where upstream accepts them. Raises msgspec.ValidationError if `raw` is not an object.
    """
    schema = read_schema(raw)
    if not schema:
        return EMPTY_INPUT, None
    changes: list[str] = []
    if _MAYBE_OUTDATED.search(raw):
        _repair(schema, changes)
    if any(key in schema for key in ("$ref", *_COMBINED)):
        try:
            schema, change = _as_object(schema)
        except (Unsupported, RecursionError):  # sent with its alternatives in the description only
            schema, change = _without_alternatives(schema)
        changes.append(change)
    elif schema.get("type") != "object":
        schema["type"] = "object"
        changes.append("the schema was given the type 'object'")
    if not changes:
        return Raw(repaired(bytes(raw))), None
    return Raw(msgspec.json.encode(schema)), "; ".join(changes)


def strict_input_schema(schema: Raw) -> Raw:
    """A tool's `input_schema` as the grammar takes it. Raises Unsupported with the reason."""
    strict = strict_schema(read_schema(schema) or {})
    if strict.get("type") != "object":
        raise Unsupported("its top is not an object")
    return Raw(msgspec.json.encode(strict))


# --------------------------------------------------------------------------------------- alternatives at the top


def _as_object(schema: JsonObject) -> tuple[JsonObject, str]:
    """One object schema for a reference or alternatives at the top of `schema`.

    It has the properties of all alternatives, and requires what all of them require; a property that they define in
    several ways has `anyOf` of these. The alternatives themselves are kept in the description.
    """
    definitions = Definitions(schema)
    groups: JsonObject = {key: schema.get(key, []) for key in ("$defs", "definitions") if key in schema}
    rule: JsonObject = {key: schema[key] for key in _COMBINED if key in schema}
    change = "alternatives at the top of the schema were merged" if rule else "the reference at its top was resolved"
    merged = definitions.expand(schema)
    while found := [key for key in _ALTERNATIVES if isinstance(merged.get(key), list)]:
        branches = merged.pop(found[0])
        merged = _union(merged, branches if isinstance(branches, list) else [], definitions)
    merged = {key: value for key, value in merged.items() if key not in _COMBINED}
    return described({"properties": {}, **groups, **merged, "type": "object"}, rule), change


def _union(base: JsonObject, branches: list[Json], definitions: Definitions) -> JsonObject:
    """One object schema for every object that is valid for `base` and for one of `branches`."""
    alternatives = {key: base.pop(key) for key in _ALTERNATIVES if key in base}
    objects = [each for branch in branches if (each := _joined(base, branch, definitions)) is not None] or [base]
    defined: dict[str, list[Json]] = {}
    for each in objects:
        for name, value in _properties(each).items():
            known = defined.setdefault(name, [])
            if value not in known:
                known.append(value)
    for each in objects:
        if _takes_others(each):  # in this alternative a property that only others define may hold anything
            for name in defined.keys() - _properties(each).keys():
                defined[name] = [*(value for value in defined[name] if value != {}), {}]
    merged: JsonObject = {**base, **alternatives, "type": "object"}
    merged["properties"] = {name: found[0] if len(found) == 1 else {"anyOf": found} for name, found in defined.items()}
    demands = [texts(each.get("required")) for each in objects]
    names = dict.fromkeys(name for names in demands for name in names)
    merged["required"] = [name for name in names if all(name in demanded for demanded in demands)]
    if not merged["required"]:
        del merged["required"]
    if any(_takes_others(each) for each in objects):
        merged["additionalProperties"] = {}
    return merged


def _joined(base: JsonObject, branch: Json, definitions: Definitions) -> JsonObject | None:
    """The schema for `base` and `branch` together; None where no object is valid for both."""
    if branch is True:
        return base
    if not isinstance(branch, dict):
        return None
    try:
        joined = definitions.expand(intersection(base, branch, definitions))
    except Contradiction:
        return None
    types = joined.get("type", "object")
    return joined if types == "object" or (isinstance(types, list) and "object" in types) else None


_MORE_PROPERTIES = (
    *("anyOf", "oneOf", "patternProperties", "unevaluatedProperties", "if", "then", "else"),
    *("dependentSchemas", "dependencies"),
)


def _takes_others(schema: JsonObject) -> bool:
    """Whether objects of `schema` are meant to have other properties than those it names."""
    additional = schema.get("additionalProperties")
    return any(key in schema for key in _MORE_PROPERTIES) or additional is True or isinstance(additional, dict)


def _properties(schema: JsonObject) -> JsonObject:
    properties = schema.get("properties")
    return properties if isinstance(properties, dict) else {}


def _without_alternatives(schema: JsonObject) -> tuple[JsonObject, str]:
    rule: JsonObject = {key: schema[key] for key in ("$ref", *_COMBINED) if key in schema}
    rest = {key: value for key, value in schema.items() if key not in rule}
    # Open, so that the grammar of a strict tool does not forbid what the alternatives demand.
    rest |= {"type": "object", "properties": _properties(schema), "additionalProperties": {}}
    return described(rest, rule), "alternatives at the top of the schema were moved into the description"


# -------------------------------------------------------------------------------------------------------- repairs

# Whether `_repair` may find something: one scan of the bytes costs less than a walk through every schema.
_TYPE = rb'\s*"(?:string|object|number|integer|array|boolean|null)"\s*'
_MAYBE_OUTDATED = re.compile(
    rb'"(?:type"\s*:(?!\s*\{|%b|\s*\[(?:%b,)*%b\])|items"\s*:\s*\[|exclusiveM(?:in|ax)imum"\s*:\s*[tf]'
    rb'|(?:properties|\$defs|definitions)"\s*:\s*[\[n]|required"\s*:\s*[tfn])' % (_TYPE, _TYPE, _TYPE)
)
_SCHEMAS = (
    "additionalItems",
    "additionalProperties",
    "contains",
    "else",
    "if",
    "items",
    "not",
    "propertyNames",
    "then",
)
_SCHEMA_LISTS = ("allOf", "anyOf", "oneOf", "prefixItems")
_SCHEMA_GROUPS = ("$defs", "definitions", "dependentSchemas", "patternProperties", "properties")
_TYPE_NAMES = {
    **dict.fromkeys(("dict", "map", "object"), "object"),
    **dict.fromkeys(("array", "list", "tuple"), "array"),
    **dict.fromkeys(("str", "string", "text"), "string"),
    **dict.fromkeys(("int", "integer", "long"), "integer"),
    **dict.fromkeys(("double", "float", "number"), "number"),
    **dict.fromkeys(("bool", "boolean"), "boolean"),
    **dict.fromkeys(("none", "null"), "null"),
}


def _repair(schema: JsonObject, changes: list[str]) -> None:
    """Bring `schema` to draft 2020-12 in place: upstream refuses keywords in the form of older drafts."""
    waiting: list[Json] = [schema]
    found: dict[str, None] = {}
    while waiting:
        node = waiting.pop()
        if not isinstance(node, dict):
            continue
        found |= dict.fromkeys(_repair_node(node))
        waiting += [node[key] for key in _SCHEMAS if key in node]
        for key in _SCHEMA_LISTS:
            if isinstance(branches := node.get(key), list):
                waiting += branches
        for key in _SCHEMA_GROUPS:
            if isinstance(group := node.get(key), dict):
                waiting += group.values()
    changes += found


def _repair_node(node: JsonObject) -> list[str]:
    changes = []
    if isinstance(node.get("items"), list):
        node["prefixItems"] = node.pop("items")
        if "additionalItems" in node:
            node["items"] = node.pop("additionalItems")
        changes.append("a list in `items` became `prefixItems`")
    for key, bound in (("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")):
        if isinstance(node.get(key), bool):
            if node.pop(key) is True and bound in node:
                node[key] = node.pop(bound)
            changes.append(f"`{key}` became a number")
    for key in _SCHEMA_GROUPS:
        if key in node and not isinstance(node[key], dict):
            node[key] = {}
            changes.append(f"`{key}` became an object")
    if "required" in node and not isinstance(node["required"], list):
        del node["required"]
        changes.append("a `required` that was no list was left out")
    if "type" in node and (change := _repair_type(node)):
        changes.append(change)
    return changes


def _repair_type(node: JsonObject) -> str | None:
    type_ = node["type"]
    names = type_ if isinstance(type_, list) else [type_]
    if names and all(name in TYPES for name in names):
        return None
    known = [_TYPE_NAMES.get(name.lower()) if isinstance(name, str) else None for name in names]
    del node["type"]
    if not known or None in known:  # `any`, and words that stand for no type
        return f"the type {msgspec.json.encode(type_).decode()} was left out"
    kept: list[Json] = [*dict.fromkeys(known)]
    node["type"] = kept if isinstance(type_, list) else kept[0]
    return f"the type {msgspec.json.encode(type_).decode()} became {msgspec.json.encode(node['type']).decode()}"
