"""What a setting is: a dataclass field with its type, range, default and help, and how text becomes its value.

    port: Annotated[int, Meta(ge=0, le=65535)] = setting(8000, "TCP port to listen on")

The annotation is what `msgspec.convert` checks values against, so a range is written once, in the field.
"""

import dataclasses
import types
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

import msgspec
from msgspec import Meta

from claude_proxy.errors import ConfigError

Count = Annotated[int, Meta(ge=0)]
# A year: what is longer overflows timers, and service managers do not understand an infinite duration.
Seconds = Annotated[float, Meta(ge=0, le=31_536_000)]
Dollars = Annotated[float, Meta(ge=0, le=1_000_000, title="US dollars")]

# Beside msgspec's own `true`, `false`, `1` and `0`.
_BOOLEANS = {"yes": "true", "on": "true", "no": "false", "off": "false"}


@dataclass(frozen=True)
class Setting:
    """One setting. `type` is its field's annotation and `env` a second environment variable that sets it.

    `at_once` tells that a change takes effect without a restart, `file` that the value names a file of this user's,
    which must be absolute, because the daemon runs in the root directory.
    """

    name: str
    type: Any
    default: Any
    help: str
    env: str | None = None
    at_once: bool = False
    file: bool = False

    @property
    def flag(self) -> str:
        return "--" + self.name.replace("_", "-")

    @property
    def kind(self) -> Any:
        """The type without its range: bool, int, float, str, tuple, Mapping or Literal."""
        plain = get_args(self.type)[0] if get_origin(self.type) is Annotated else self.type
        return get_origin(plain) or plain

    @property
    def unit(self) -> str:
        """What a number that is no count is measured in."""
        return next((meta.title for meta in get_args(self.type) if isinstance(meta, Meta) and meta.title), "seconds")

    def convert(self, value: object, where: str) -> Any:
        """`value`, a text or what TOML has, as this setting's type.

        Raises ConfigError that starts with `where` and says what is accepted.
        """
        try:
            found = msgspec.convert(self._parse(value), self.type, strict=not isinstance(value, str))
        except (msgspec.ValidationError, ValueError):
            raise ConfigError(f"{where} must be {self._accepted()}, not {value!r}") from None
        if not _is_utf8(as_text(found)):
            raise ConfigError(f"{where} must be UTF-8, not {value!r}")
        if self.file and found and not Path(found).expanduser().is_absolute():
            raise ConfigError(f"{where} must be an absolute path, not {found!r}", hint="the daemon runs in /")
        return types.MappingProxyType(found) if isinstance(found, dict) else found

    def _parse(self, value: object) -> object:
        """A text as the container that the setting's type has; other values unchanged. Raises ValueError."""
        if not isinstance(value, str):
            return value
        match self.kind:
            case kind if kind is bool:
                return _BOOLEANS.get(value.lower(), value)
            case kind if kind is Literal:
                return value.lower()
            case kind if kind is tuple:
                return [part.strip() for part in value.split(",") if part.strip()]
            case kind if kind is Mapping:
                return _pairs(value)
            case _:
                return value

    def _accepted(self) -> str:
        match self.kind:
            case kind if kind is bool:
                return "true or false"
            case kind if kind is int:
                return f"a whole number{self._range()}"
            case kind if kind is float:
                return f"a number of {self.unit}{self._range()}"
            case kind if kind is Literal:
                return f"one of {', '.join(get_args(self.type))}"
            case kind if kind is tuple:
                return "a list of texts"
            case kind if kind is Mapping:
                return "a table of texts, or a text like `name=model,name=model`"
            case _:
                return "text"

    def _range(self) -> str:
        meta = next((item for item in get_args(self.type) if isinstance(item, Meta)), Meta())
        if meta.le is not None:
            return f" between {meta.ge} and {meta.le}"
        return f" of at least {meta.ge}" if meta.ge is not None else ""


def setting(default: Any, help_text: str, *, env: str | None = None, at_once: bool = False, file: bool = False) -> Any:
    """A dataclass field that is a setting; see `Setting` for what the arguments mean."""
    # A factory, because dataclasses refuse a mapping as a default.
    metadata = {"default": default, "help": help_text, "env": env, "at_once": at_once, "file": file}
    return field(default_factory=lambda: default, metadata=metadata)


def settings_of(owner: type) -> tuple[Setting, ...]:
    """The settings that the dataclass `owner` declares, in the order of its fields."""
    hints = get_type_hints(owner, include_extras=True)
    return tuple(
        Setting(item.name, hints[item.name], **item.metadata) for item in dataclasses.fields(owner) if item.metadata
    )


def as_text(value: object) -> str:
    """A setting's value as a flag or an environment variable takes it."""
    match value:
        case bool():
            return "true" if value else "false"
        case tuple():
            return ",".join(value)
        case Mapping():
            return ",".join(f"{key}={text}" for key, text in value.items())
        case float():
            return repr(value).removesuffix(".0")
        case _:
            return str(value)


def as_argument(item: Setting, text: str) -> str:
    """The flag that sets `item` to `text`."""
    if item.kind is bool:
        return item.flag if text == "true" else item.flag.replace("--", "--no-", 1)
    return f"{item.flag}={text}"


def _is_utf8(text: str) -> bool:
    """Whether `text` has no surrogates, which stand for bytes of a command line or a variable that are not UTF-8."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _pairs(value: str) -> dict[str, str]:
    pairs = [part.partition("=") for part in value.split(",") if part.strip()]
    if not all(middle for _, middle, _ in pairs):
        raise ValueError
    return {left.strip(): right.strip() for left, _, right in pairs}
