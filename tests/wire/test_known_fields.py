import json
from typing import Any

import msgspec
import pytest
from msgspec import Raw, Struct

from claude_proxy.errors import InvalidRequest
from claude_proxy.wire.known_fields import prune, prune_top


class Leaf(Struct, forbid_unknown_fields=True):
    a: int | None = None


class Cat(Struct, tag="cat", tag_field="kind", forbid_unknown_fields=True):
    leaf: Leaf | None = None


class Dog(Struct, tag="dog", tag_field="kind", forbid_unknown_fields=True):
    leaves: list[Leaf] = []


class Root(Struct, forbid_unknown_fields=True):
    pets: str | list[Cat | Dog] = []
    free: Raw = Raw(b"null")
    renamed: int = msgspec.field(default=0, name="reNamed")


@pytest.mark.parametrize(
    ("body", "pruned", "unknown"),
    [
        ({"x": 1}, {}, ["x"]),
        ({"x": None}, {}, []),
        ({"reNamed": 1, "renamed": 2}, {"reNamed": 1}, ["renamed"]),
        ({"free": {"x": [{"y": 1}]}}, {"free": {"x": [{"y": 1}]}}, []),
        ({"pets": "text"}, {"pets": "text"}, []),
        (
            {"pets": [{"kind": "cat", "leaf": {"a": 1, "b": 2}}]},
            {"pets": [{"kind": "cat", "leaf": {"a": 1}}]},
            ["pets[0].leaf.b"],
        ),
        ({"pets": [{"kind": "cat", "leaves": []}]}, {"pets": [{"kind": "cat"}]}, ["pets[0].leaves"]),
        (
            {"pets": [{"kind": "dog", "leaves": [{}, {"b": 1}]}]},
            {"pets": [{"kind": "dog", "leaves": [{}, {}]}]},
            ["pets[0].leaves[1].b"],
        ),
        ({"pets": [{"kind": "cow", "x": 1}]}, {"pets": [{"kind": "cow", "x": 1}]}, []),
        ({"pets": [{"x": 1}, 5]}, {"pets": [{"x": 1}, 5]}, []),
        ([], [], []),
        (5, 5, []),
    ],
    ids=str,
)
def test_unknown_fields_are_taken_out_and_named(body: Any, pruned: Any, unknown: list[str]):
    data, found = prune(json.dumps(body).encode(), Root)
    assert (json.loads(data), found) == (pruned, unknown)


def test_what_is_not_changed_keeps_its_bytes():
    data = b'  {"free": {"n":  1.50},  "pets": [ {"kind":"cat"} ]}'
    assert prune(data, Root) == (data.strip(), [])
    assert prune(b'{"free": {"n":  1.50}, "x": 1}', Root)[0] == b'{"free":{"n":  1.50}}'


def test_a_field_of_many_items_is_named_once_with_the_first_of_them():
    cats = [{"kind": "cat"}, {"kind": "cat", "x": 1}, {"kind": "cat", "x": 2}]
    assert prune(json.dumps({"pets": cats}).encode(), Root)[1] == ["pets[1].x"]


def test_a_part_is_named_by_its_path_in_the_whole():
    assert prune(b'{"x": 1}', Leaf, "tools[2]")[1] == ["tools[2].x"]


def test_an_array_may_be_the_whole():
    assert prune(b'[{"a": 1}, {"b": 1}]', list[Leaf], "content") == (b'[{"a": 1},{}]', ["content[1].b"])


def test_an_unknown_field_is_nested_no_deeper_than_a_known_one():
    with pytest.raises(InvalidRequest) as refusal:
        prune(b'{"x":' + b"[" * 600 + b"]" * 600 + b"}", Root)
    assert refusal.value.param == "x"


def test_the_outermost_object_may_be_pruned_alone():
    data, found = prune_top(b'{"x": 1, "z": null, "pets": [{"kind": "cat", "y":  1}]}', Root)
    assert (data, found) == (b'{"pets":[{"kind": "cat", "y":  1}]}', ["x"])
    with pytest.raises(msgspec.DecodeError):
        prune_top(b"[]", Root)
    with pytest.raises(InvalidRequest):
        prune_top(b'{"x":' + b"[" * 600 + b"]" * 600 + b"}", Root)


def test_what_is_not_json_is_refused():
    with pytest.raises(InvalidRequest) as refusal:
        prune(b'{"pets": [}', Root)
    assert refusal.value.code == "invalid_json"
