"""Shapes of JSON values, as data that checks: types, required and unknown fields, bounds, unions by tag.

`shape.check(value, at, betas)` returns nothing or raises a 400 in the words of the real API, which are pydantic's,
with the place in front: `messages.0.content.1.tool_use.input: Input should be a valid dictionary`. Only the first
complaint is reported. A field that belongs to a beta is an unknown field without that beta.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from claude_proxy.simulator.apierror import ApiError, invalid

Betas = frozenset[str]


class Shape(Protocol):
    def check(self, value: Any, at: str, betas: Betas) -> None: ...


def complaint(at: str, what: str) -> ApiError:
    return invalid(f"{at}: {what}" if at else what)


def inside(at: str, name: str | int) -> str:
    """The place of a member of what stands at `at`."""
    return f"{at}.{name}" if at else str(name)


@dataclass(frozen=True)
class Anything:
    def check(self, value: Any, at: str, betas: Betas) -> None:
        pass


@dataclass(frozen=True)
class Text:
    pattern: str | None = None
    shortest: int = 0
    longest: int | None = None

    def check(self, value: Any, at: str, betas: Betas) -> None:
        if not isinstance(value, str):
            raise complaint(at, "Input should be a valid string")
        if len(value) < self.shortest:
            raise complaint(at, f"String should have at least {_plural(self.shortest, 'character')}")
        if self.longest is not None and len(value) > self.longest:
            raise complaint(at, f"String should have at most {_plural(self.longest, 'character')}")
        if self.pattern and not re.search(self.pattern, value):
            raise complaint(at, f"String should match pattern '{self.pattern}'")


def _plural(number: int, word: str) -> str:
    return f"{number} {word}" if number == 1 else f"{number} {word}s"


@dataclass(frozen=True)
class OneOf:
    """One of a few strings."""

    values: tuple[str, ...]

    def check(self, value: Any, at: str, betas: Betas) -> None:
        if value not in self.values:
            raise complaint(at, f"Input should be {listed(self.values)}")


def listed(values: Sequence[str]) -> str:
    """'a', 'b' or 'c', as pydantic spells it."""
    *first, last = (f"'{value}'" for value in values)
    return f"{', '.join(first)} or {last}" if first else last


@dataclass(frozen=True)
class Boolean:
    def check(self, value: Any, at: str, betas: Betas) -> None:
        if not isinstance(value, bool):
            raise complaint(at, "Input should be a valid boolean")


@dataclass(frozen=True)
class Number:
    low: float | None = None
    high: float | None = None
    whole: bool = False

    def check(self, value: Any, at: str, betas: Betas) -> None:
        right = int if self.whole else (int, float)
        if isinstance(value, bool) or not isinstance(value, right):
            raise complaint(at, f"Input should be a valid {'integer' if self.whole else 'number'}")
        if self.low is not None and value < self.low:
            raise complaint(at, f"Input should be greater than or equal to {self.low:g}")
        if self.high is not None and value > self.high:
            raise complaint(at, f"Input should be less than or equal to {self.high:g}")


def integer(low: int | None = None, high: int | None = None) -> Number:
    return Number(low, high, whole=True)


@dataclass(frozen=True)
class Dictionary:
    """An object whose members are the caller's business."""

    values: Shape = Anything()

    def check(self, value: Any, at: str, betas: Betas) -> None:
        if not isinstance(value, dict):
            raise complaint(at, "Input should be a valid dictionary")
        for name, member in value.items():
            self.values.check(member, inside(at, name), betas)


@dataclass(frozen=True)
class ListOf:
    members: Shape
    longest: int | None = None

    def check(self, value: Any, at: str, betas: Betas) -> None:
        if not isinstance(value, list):
            raise complaint(at, "Input should be a valid list")
        if self.longest is not None and len(value) > self.longest:
            raise complaint(at, f"List should have at most {self.longest} items after validation, not {len(value)}")
        for place, member in enumerate(value):
            self.members.check(member, inside(at, place), betas)


@dataclass(frozen=True)
class Either:
    """Text, or what else is allowed in its place."""

    other: Shape
    text: Text = Text()

    def check(self, value: Any, at: str, betas: Betas) -> None:
        (self.text if isinstance(value, str) else self.other).check(value, at, betas)


@dataclass(frozen=True)
class Null:
    """A shape, or null."""

    other: Shape

    def check(self, value: Any, at: str, betas: Betas) -> None:
        if value is not None:
            self.other.check(value, at, betas)


@dataclass(frozen=True)
class Beta:
    """A field that exists only with one of these betas."""

    names: tuple[str, ...]
    shape: Shape

    def check(self, value: Any, at: str, betas: Betas) -> None:
        if betas.isdisjoint(self.names):
            raise complaint(at, "Extra inputs are not permitted")
        self.shape.check(value, at, betas)


@dataclass(frozen=True)
class Object:
    """An object with exactly these fields; `optional` ones may be absent."""

    required: Mapping[str, Shape] = field(default_factory=dict)
    optional: Mapping[str, Shape] = field(default_factory=dict)

    def check(self, value: Any, at: str, betas: Betas) -> None:
        if not isinstance(value, dict):
            raise complaint(at, "Input should be an object")
        for name, shape in self.required.items():
            if name not in value:
                raise complaint(inside(at, name), "Field required")
            shape.check(value[name], inside(at, name), betas)
        for name, member in value.items():
            if name in self.optional:
                self.optional[name].check(member, inside(at, name), betas)
            elif name not in self.required:
                raise complaint(inside(at, name), "Extra inputs are not permitted")

    def without(self, *names: str) -> "Object":
        """The same object in a place where these fields do not exist."""
        return Object(
            {name: shape for name, shape in self.required.items() if name not in names},
            {name: shape for name, shape in self.optional.items() if name not in names},
        )


@dataclass(frozen=True)
class Tagged:
    """Objects told apart by a field; the tag becomes part of the place, unless `silent`."""

    shapes: Mapping[str, Shape]
    tag: str = "type"
    default: str | None = None  # the tag of an object that has none
    silent: bool = False
    betas: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # tags that exist only with one of these

    def check(self, value: Any, at: str, betas: Betas) -> None:
        if not isinstance(value, dict):
            raise complaint(at, "Input should be an object")
        tag = value.get(self.tag) or self.default
        if tag is None:
            raise complaint(inside(at, self.tag), "Field required")
        known = [name for name in self.shapes if name not in self.betas or betas & set(self.betas[name])]
        if tag not in known:
            raise complaint(at, self._unknown(tag, known))
        self.shapes[tag].check(value, at if self.silent else inside(at, tag), betas)

    def _unknown(self, tag: Any, known: list[str]) -> str:
        expected = ", ".join(f"'{name}'" for name in sorted(known))
        return f"Input tag '{tag}' found using '{self.tag}' does not match any of the expected tags: {expected}"
