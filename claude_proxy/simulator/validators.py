"""Validators of JSON values, built as data: types, required and unknown fields, bounds, tagged unions.

`validator.check(value, param, betas)` returns nothing or raises a 400 with the real API's message. The messages are
pydantic's, prefixed by the param: `messages.0.content.1.tool_use.input: Input should be a valid dictionary`. Only the
first error is reported. A beta's field is an unknown field without that beta.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from claude_proxy.simulator.api_error import ApiError, invalid

Betas = frozenset[str]


class Validator(Protocol):
    def check(self, value: Any, param: str, betas: Betas) -> None: ...


def field_error(param: str, what: str) -> ApiError:
    return invalid(f"{param}: {what}" if param else what)


def join_param(param: str, name: str | int) -> str:
    """The param of the member `name` of the value at `param`."""
    return f"{param}.{name}" if param else str(name)


@dataclass(frozen=True)
class Anything:
    def check(self, value: Any, param: str, betas: Betas) -> None:
        pass


@dataclass(frozen=True)
class Text:
    pattern: str | None = None
    shortest: int = 0
    longest: int | None = None

    def check(self, value: Any, param: str, betas: Betas) -> None:
        if not isinstance(value, str):
            raise field_error(param, "Input should be a valid string")
        if len(value) < self.shortest:
            raise field_error(param, f"String should have at least {_plural(self.shortest, 'character')}")
        if self.longest is not None and len(value) > self.longest:
            raise field_error(param, f"String should have at most {_plural(self.longest, 'character')}")
        if self.pattern and not re.search(self.pattern, value):
            raise field_error(param, f"String should match pattern '{self.pattern}'")


def _plural(number: int, word: str) -> str:
    return f"{number} {word}" if number == 1 else f"{number} {word}s"


@dataclass(frozen=True)
class OneOf:
    """One of a few strings."""

    values: tuple[str, ...]

    def check(self, value: Any, param: str, betas: Betas) -> None:
        if value not in self.values:
            raise field_error(param, f"Input should be {quoted_list(self.values)}")


def quoted_list(values: Sequence[str]) -> str:
    """'a', 'b' or 'c', in pydantic's format."""
    *first, last = (f"'{value}'" for value in values)
    return f"{', '.join(first)} or {last}" if first else last


@dataclass(frozen=True)
class Boolean:
    def check(self, value: Any, param: str, betas: Betas) -> None:
        if not isinstance(value, bool):
            raise field_error(param, "Input should be a valid boolean")


@dataclass(frozen=True)
class Number:
    low: float | None = None
    high: float | None = None
    whole: bool = False

    def check(self, value: Any, param: str, betas: Betas) -> None:
        right = int if self.whole else (int, float)
        if isinstance(value, bool) or not isinstance(value, right):
            raise field_error(param, f"Input should be a valid {'integer' if self.whole else 'number'}")
        if self.low is not None and value < self.low:
            raise field_error(param, f"Input should be greater than or equal to {self.low:g}")
        if self.high is not None and value > self.high:
            raise field_error(param, f"Input should be less than or equal to {self.high:g}")


def integer(low: int | None = None, high: int | None = None) -> Number:
    return Number(low, high, whole=True)


@dataclass(frozen=True)
class Dictionary:
    """An object with arbitrary members."""

    values: Validator = Anything()

    def check(self, value: Any, param: str, betas: Betas) -> None:
        if not isinstance(value, dict):
            raise field_error(param, "Input should be a valid dictionary")
        for name, member in value.items():
            self.values.check(member, join_param(param, name), betas)


@dataclass(frozen=True)
class ListOf:
    members: Validator
    longest: int | None = None

    def check(self, value: Any, param: str, betas: Betas) -> None:
        if not isinstance(value, list):
            raise field_error(param, "Input should be a valid list")
        if self.longest is not None and len(value) > self.longest:
            raise field_error(
                param, f"List should have at most {self.longest} items after validation, not {len(value)}"
            )
        for index, member in enumerate(value):
            self.members.check(member, join_param(param, index), betas)


@dataclass(frozen=True)
class TextOr:
    """A string, or a value that `other` accepts."""

    other: Validator
    text: Text = Text()

    def check(self, value: Any, param: str, betas: Betas) -> None:
        (self.text if isinstance(value, str) else self.other).check(value, param, betas)


@dataclass(frozen=True)
class Nullable:
    """A value that `other` accepts, or null."""

    other: Validator

    def check(self, value: Any, param: str, betas: Betas) -> None:
        if value is not None:
            self.other.check(value, param, betas)


@dataclass(frozen=True)
class BetaOnly:
    """A field that is known only with one of these betas."""

    names: tuple[str, ...]
    validator: Validator

    def check(self, value: Any, param: str, betas: Betas) -> None:
        if betas.isdisjoint(self.names):
            raise field_error(param, "Extra inputs are not permitted")
        self.validator.check(value, param, betas)


@dataclass(frozen=True)
class Object:
    """An object with these fields and no others; `optional` ones may be absent."""

    required: Mapping[str, Validator] = field(default_factory=dict)
    optional: Mapping[str, Validator] = field(default_factory=dict)

    def check(self, value: Any, param: str, betas: Betas) -> None:
        if not isinstance(value, dict):
            raise field_error(param, "Input should be an object")
        for name, validator in self.required.items():
            if name not in value:
                raise field_error(join_param(param, name), "Field required")
            validator.check(value[name], join_param(param, name), betas)
        for name, member in value.items():
            if name in self.optional:
                self.optional[name].check(member, join_param(param, name), betas)
            elif name not in self.required:
                raise field_error(join_param(param, name), "Extra inputs are not permitted")

    def without(self, *names: str) -> "Object":
        """A copy without these fields."""
        return Object(
            {name: validator for name, validator in self.required.items() if name not in names},
            {name: validator for name, validator in self.optional.items() if name not in names},
        )


@dataclass(frozen=True)
class TaggedUnion:
    """Objects distinguished by a field; the tag becomes part of the param, unless `hide_tag`."""

    variants: Mapping[str, Validator]
    tag: str = "type"
    default: str | None = None  # the tag of an object without one
    hide_tag: bool = False
    betas: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # tags that need one of these betas

    def check(self, value: Any, param: str, betas: Betas) -> None:
        if not isinstance(value, dict):
            raise field_error(param, "Input should be an object")
        tag = value.get(self.tag) or self.default
        if tag is None:
            raise field_error(join_param(param, self.tag), "Field required")
        known = [name for name in self.variants if name not in self.betas or betas & set(self.betas[name])]
        if tag not in known:
            raise field_error(param, self._unknown(tag, known))
        self.variants[tag].check(value, param if self.hide_tag else join_param(param, tag), betas)

    def _unknown(self, tag: Any, known: list[str]) -> str:
        expected = ", ".join(f"'{name}'" for name in sorted(known))
        return f"Input tag '{tag}' found using '{self.tag}' does not match any of the expected tags: {expected}"
