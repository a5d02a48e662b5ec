"""Fields that a request's types do not have: they are taken out of the JSON and named, at every depth.

msgspec can refuse unknown fields or ignore them, but it does not name the ones that it ignores. A body is first
decoded with types that refuse them, which costs nothing extra; only a body that fails goes through this module.
"""

import re
from functools import cache

import msgspec
from msgspec import Raw, Struct
from msgspec import inspect as types

from claude_proxy.wire.decoding import NULL, check_nesting, decode

_read_object = msgspec.json.Decoder(dict[str, Raw]).decode
_read_array = msgspec.json.Decoder(list[Raw]).decode
_read_text = msgspec.json.Decoder(str).decode
_SPACE = b" \t\r\n"
_INDEX = re.compile(r"\[\d+\]")


class _Shape(Struct, frozen=True):
    """What a type allows of JSON, as far as fields are concerned; a part without fields has no shape."""

    items: "_Shape | None" = None  # of an array
    fields: "dict[str, _Shape | None] | None" = None  # of an object
    tag: str | None = None  # the field that tells the objects of a union apart
    tagged: "dict[str, _Shape]" = {}  # their shapes, by the value of that field


@cache
def _shape_of(type_: object) -> _Shape | None:
    return _shape(types.type_info(type_))


def _shape(info: types.Type) -> _Shape | None:
    match info:
        case types.StructType(fields=fields, tag_field=tag):
            shapes = {field.encode_name: _shape(field.type) for field in fields}
            return _Shape(fields=shapes if tag is None else {tag: None, **shapes})
        case types.ListType(item_type=item):
            items = _shape(item)
            return None if items is None else _Shape(items)
        case types.UnionType(types=members):
            return _union(members)
        case _:
            return None


def _union(members: tuple[types.Type, ...]) -> _Shape | None:
    items = next((shape.items for member in members if (shape := _shape(member)) and shape.items), None)
    structs = [member for member in members if isinstance(member, types.StructType)]
    if structs and structs[0].tag_field is not None:
        tagged = {str(member.tag): shape for member in structs if (shape := _shape(member))}
        return _Shape(items, None, structs[0].tag_field, tagged)
    fields = next((shape.fields for member in structs if (shape := _shape(member))), None)
    return None if items is None and fields is None else _Shape(items, fields)


def prune_top(data: bytes, type_: type[Struct]) -> tuple[bytes, list[str]]:
    """As `prune`, but for the fields of the outermost object only: a quarter of the time for a large body.

    Raises msgspec.DecodeError if `data` is not a JSON object.
    """
    members = _read_object(data)
    known = type_.__struct_encode_fields__
    unknown = [name for name, value in members.items() if name not in known and value != NULL]
    for name in unknown:
        check_nesting(members[name], name)
    return msgspec.json.encode({name: members[name] for name in known if name in members}), unknown


def prune(data: bytes, type_: object, at: str = "") -> tuple[bytes, list[str]]:
    """`data` without the fields that `type_` and its parts do not have, and the paths of those that held a value.

    Of a field that is unknown in several items of an array only the first is named. `data` is valid JSON; `at` is
    its path. Raises InvalidRequest for an unknown field that is nested too deeply.
    """
    found: dict[str, str] = {}
    pruned = _pruned(Raw(data.lstrip(_SPACE)), _shape_of(type_), at, found)
    return bytes(pruned), list(found.values())


def _pruned(data: Raw, shape: _Shape | None, path: str, found: dict[str, str]) -> Raw:
    if shape is None:
        return data
    match bytes(memoryview(data)[:1]):
        case b"[" if shape.items is not None:
            return _pruned_array(data, shape.items, path, found)
        case b"{":
            return _pruned_object(data, shape, path, found)
        case _:
            return data


def _pruned_array(data: Raw, shape: _Shape, path: str, found: dict[str, str]) -> Raw:
    items = decode(_read_array, data, path)
    pruned = [_pruned(item, shape, f"{path}[{index}]", found) for index, item in enumerate(items)]
    same = all(after is before for after, before in zip(pruned, items, strict=True))
    return data if same else Raw(msgspec.json.encode(pruned))


def _pruned_object(data: Raw, shape: _Shape, path: str, found: dict[str, str]) -> Raw:
    members = decode(_read_object, data, path)
    fields = shape.fields
    if shape.tag is not None:
        chosen = shape.tagged.get(_text(members.get(shape.tag)))
        fields = chosen.fields if chosen is not None else None
    if fields is None:
        return data  # the decoder says what is wrong
    pruned: dict[str, Raw] = {}
    for name, value in members.items():
        where = f"{path}.{name}" if path else name
        if name in fields:
            pruned[name] = _pruned(value, fields[name], where, found)
        elif value != NULL:  # null equals absence
            check_nesting(value, where)
            found.setdefault(_INDEX.sub("[]", where), where)
    same = len(pruned) == len(members) and all(pruned[name] is members[name] for name in members)
    return data if same else Raw(msgspec.json.encode(pruned))


def _text(value: Raw | None) -> str:
    """The tag that `value` holds; empty if it holds no text."""
    try:
        return "" if value is None else _read_text(value)
    except msgspec.MsgspecError:
        return ""
