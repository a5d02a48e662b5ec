"""What each model accepts, as data: a shipped table, overridden by the live Models API; names resolved to ids.

Adding a model is a row of `_ROWS`, retiring one a name in `_RETIRED`. A fact that the live API tells (limits,
thinking types, effort levels) wins over its row; the rest (sampling, forced tools, prefill, system messages) is only
known here. An id without a row gets the facts of the newest model of its line.
"""

import dataclasses
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal, NamedTuple

from msgspec import UNSET

from claude_proxy.errors import NotFound
from claude_proxy.wire import anthropic
from claude_proxy.wire import chat_reply as answers

EFFORTS = ("low", "medium", "high", "xhigh", "max")
LINES = ("haiku", "sonnet", "opus", "fable", "mythos")

ForcedTools = Literal["accepted", "not with enabled thinking", "refused"]


@dataclass(frozen=True)
class Limits:
    """What the backend in use cannot carry, with the reasons; see `Abilities` of the upstream room."""

    without_fields: Mapping[str, str] = field(default_factory=dict)
    without_cache_marks: str | None = None


NO_LIMITS = Limits()


@dataclass(frozen=True)
class Model:
    """What one model accepts. Token limits are the model's own, not the account's."""

    id: str
    max_tokens: int = 128_000
    max_input_tokens: int = 1_000_000
    sampling: bool = False  # temperature, top_p and top_k with other values than the default
    thinking: frozenset[str] = frozenset({"adaptive", "disabled"})  # accepted `thinking.type`s
    thinks: bool = True  # thinks when `thinking` is absent
    efforts: tuple[str, ...] = EFFORTS
    disabled_up_to_high: bool = False  # `disabled` and `between_tools` are refused above effort "high"
    forced_tools: ForcedTools = "accepted"
    prefill: bool = False  # a last message of the assistant's is continued
    system_messages: bool = True  # role "system" between messages is honoured
    binds_thinking: bool = False  # signed thinking is only valid behind the exact prefix it was made for
    fast: bool = False  # speed "fast" exists
    created: str | None = None  # the day of release, where the id tells it
    instead_of: str | None = None  # the retired model that the client named, which this one replaces
    limits: Limits = NO_LIMITS  # of the backend that asks it

    @property
    def line(self) -> str:
        return _line(self.id) or "sonnet"


def _row(id_: str, **facts: object) -> Model:
    return dataclasses.replace(Model(id_), **facts)  # type: ignore[arg-type] # the rows below are data


_OLD = frozenset({"enabled", "disabled"})
_ALWAYS = frozenset({"adaptive"})
_4_5 = {
    "max_tokens": 64_000,
    "max_input_tokens": 200_000,
    "sampling": True,
    "thinking": _OLD,
    "thinks": False,
    "efforts": (),
    "forced_tools": "not with enabled thinking",
    "prefill": True,
    "system_messages": False,
}
_4_6 = {
    "sampling": True,
    "thinking": frozenset({"adaptive", "enabled", "disabled"}),
    "thinks": False,
    "efforts": ("low", "medium", "high", "max"),
    "forced_tools": "not with enabled thinking",
    "system_messages": False,
}
_BOUND = {"thinking": _ALWAYS, "forced_tools": "refused", "binds_thinking": True}

# Newest first within a line: the first row of a line stands for ids that are newer than this table.
_ROWS: tuple[Model, ...] = (
    _row("claude-fable-5-2", **_BOUND, fast=True),
    _row("claude-mythos-5-2", **_BOUND, fast=True),
    _row("claude-haiku-5-5", disabled_up_to_high=True, system_messages=False, binds_thinking=True),
    _row(
        "claude-sonnet-5-5",
        thinking=frozenset({"adaptive", "between_tools"}),
        disabled_up_to_high=True,
        forced_tools="refused",
        system_messages=False,
        binds_thinking=True,
    ),
    _row("claude-fable-5-1", **_BOUND),
    _row("claude-opus-5-5", **_BOUND, fast=True),
    _row("claude-mythos-5-1", thinking=_ALWAYS, forced_tools="refused"),
    _row("claude-sonnet-5", system_messages=False),
    _row("claude-fable-5", thinking=_ALWAYS),
    _row("claude-mythos-5", thinking=_ALWAYS),
    _row("claude-opus-5", disabled_up_to_high=True, fast=True),
    _row("claude-opus-4-8", thinks=False, disabled_up_to_high=True, fast=True),
    _row("claude-opus-4-7", thinks=False, system_messages=False),
    _row("claude-opus-4-6", **_4_6),
    _row("claude-sonnet-4-6", **_4_6),
    _row("claude-haiku-4-5", **_4_5, created="2025-10-01"),
    _row("claude-opus-4-5", **{**_4_5, "efforts": ("low", "medium", "high")}, created="2025-11-01"),
    _row("claude-sonnet-4-5", **_4_5, created="2025-09-29"),
)
MODELS: Mapping[str, Model] = {model.id: model for model in _ROWS}

_DATED = re.compile(r"-\d{8}$")
_PREFIXES = ("anthropic/", "claude/")


def _line(id_: str) -> str | None:
    words = id_.split("-")
    return next((line for line in LINES if line in words), None)


def model_for(id_: str, live: Mapping[str, anthropic.ModelInfo], *, instead_of: str | None = None) -> Model:
    """What the model `id_` accepts; `live` is upstream's own list by id, empty where it is not known."""
    row = MODELS.get(id_) or MODELS.get(_DATED.sub("", id_)) or _newest_of_line(_line(id_) or "sonnet")
    facts = _live_facts(live[id_]) if id_ in live else {}
    if row.id == id_ and not facts and instead_of is None:
        return row
    return dataclasses.replace(row, id=id_, instead_of=instead_of, **facts)  # type: ignore[arg-type]


def _newest_of_line(line: str) -> Model:
    return next(row for row in _ROWS if row.line == line)


def _live_facts(info: anthropic.ModelInfo) -> dict[str, object]:
    """The facts of a Model that the Models API tells."""
    facts: dict[str, object] = {}
    if info.max_tokens:
        facts["max_tokens"] = info.max_tokens
    if info.max_input_tokens:
        facts["max_input_tokens"] = info.max_input_tokens
    capabilities = info.capabilities or anthropic.ModelCapabilities()
    if capabilities.thinking and (types := capabilities.thinking.types):
        leaves = (types.adaptive, types.between_tools, types.disabled, types.enabled)
        names = ("adaptive", "between_tools", "disabled", "enabled")
        facts["thinking"] = frozenset(name for name, leaf in zip(names, leaves, strict=True) if leaf.supported)
    if effort := capabilities.effort:
        levels = (effort.low, effort.medium, effort.high, effort.xhigh, effort.max)
        known = tuple(name for name, leaf in zip(EFFORTS, levels, strict=True) if leaf and leaf.supported)
        facts["efforts"] = known if effort.supported else ()
    return facts


# -------------------------------------------------------------------------------------------------------- names

Retired = Literal["successor", "refuse"]


class Target(NamedTuple):
    """The model that a client's name means: the id to send, and the retired model that it replaces, if any."""

    id: str
    instead_of: str | None = None


# Models that upstream no longer serves, by the line whose newest model replaces them. Without dates and with hyphens,
# as `_base_name` returns them. Source: Anthropic's "Model deprecations" page.
_RETIRED: Mapping[str, tuple[str, ...]] = {
    "haiku": (
        "claude-instant", "claude-instant-1", "claude-instant-1-1", "claude-instant-1-2",
        "claude-3-haiku", "claude-haiku-3", "claude-3-5-haiku", "claude-haiku-3-5",
    ),
    "sonnet": (
        "claude-1", "claude-1-2", "claude-1-3", "claude-2", "claude-2-0", "claude-2-1",
        "claude-3-sonnet", "claude-sonnet-3", "claude-3-5-sonnet", "claude-sonnet-3-5", "claude-3-7-sonnet",
        "claude-sonnet-3-7", "claude-sonnet-4", "claude-sonnet-4-0", "claude-4-sonnet",
    ),
    "opus": (
        "claude-3-opus", "claude-opus-3", "claude-opus-4", "claude-opus-4-0", "claude-4-opus", "claude-opus-4-1",
        "claude-4-1-opus",
    ),
    "mythos": ("claude-mythos-preview",),
}  # fmt: skip
_RETIRED_LINE = {name: line for line, names in _RETIRED.items() for name in names}
# What other services append: `:beta` and `:thinking` (OpenRouter), `@20240620` (Vertex), `-v2:0` (Bedrock).
_SUFFIX = re.compile(r"(?:-latest|-v\d+)?(?::[\w.-]+)?$")
_DATE = re.compile(r"[-@]\d{8}$")


def resolve(
    name: str,
    aliases: Mapping[str, str],
    models: Iterable[anthropic.ModelInfo],
    *,
    retired: Retired = "successor",
) -> Target:
    """The model that a client's `name` means: an alias of the user's, a line's name, or the name itself.

    `aliases` are the user's; `models` is upstream's list, newest first. An unknown name is returned unchanged:
    upstream answers it with a 404. The name of a retired model means the newest of its line. Raises NotFound for a
    retired model when `retired` is "refuse", and when an alias of the user's points at one.
    """
    wanted = aliases.get(name) or _without_prefix(name)
    wanted = _without_prefix(aliases.get(wanted, wanted))
    models = tuple(models)
    if wanted in LINES:
        return Target(_newest_id(wanted, models))
    if (line := _retired_line(wanted, models)) is None:
        return Target(wanted)
    successor = _newest_id(line, models)
    if name in aliases or _without_prefix(name) in aliases:
        raise _retired_error(
            f"The model '{name}' is an alias of '{wanted}', which is retired.", successor, "change the alias"
        )
    if retired == "refuse":
        raise _retired_error(f"The model '{wanted}' is retired.", successor, 'or set `retired_models = "successor"`')
    return Target(successor, instead_of=wanted)


def _retired_error(message: str, successor: str, hint: str) -> NotFound:
    return NotFound(f"{message} Its successor is '{successor}'.", param="model", code="model_not_found", hint=hint)


def _newest_id(line: str, models: tuple[anthropic.ModelInfo, ...]) -> str:
    active = (info.id for info in models if (info.line or _line(info.id)) == line and info.lifecycle == "active")
    return next(active, None) or _newest_of_line(line).id


def _retired_line(id_: str, models: tuple[anthropic.ModelInfo, ...]) -> str | None:
    """The line of the retired model `id_`; None for a model that upstream serves or that is unknown."""
    for info in models:
        if info.id == id_:
            return (info.line or _line(id_) or "sonnet") if info.lifecycle == "retired" else None
    base = _base_name(id_)
    if base in _RETIRED_LINE:
        served = any(info.lifecycle != "retired" and _base_name(info.id) == base for info in models)
        return None if served else _RETIRED_LINE[base]
    gone = (info for info in models if info.lifecycle == "retired" and _base_name(info.id) == base)
    return next((info.line or _line(info.id) for info in gone), None)


def _base_name(id_: str) -> str:
    """`id_` without date and suffixes, its version with hyphens: `claude-3.5-sonnet:beta` is `claude-3-5-sonnet`."""
    name = _SUFFIX.sub("", id_.lower().removeprefix("anthropic.")).replace(".", "-")
    return _DATE.sub("", name)


def _without_prefix(name: str) -> str:
    for prefix in _PREFIXES:
        name = name.removeprefix(prefix)
    return name


def to_openai_model(info: anthropic.ModelInfo) -> answers.Model:
    """A row of upstream's list as an OpenAI model; `created` is 0 where upstream does not know it."""
    created = datetime.fromisoformat(info.created_at)
    limit = info.max_input_tokens or UNSET
    return answers.Model(
        id=info.id,
        object="model",
        created=max(0, int(created.timestamp())),
        owned_by="anthropic",
        shutdown_date=info.retires_at[:10] if info.retires_at else UNSET,
        display_name=info.display_name or UNSET,
        context_length=limit,
        max_model_len=limit,
    )


def _model_info(row: Model) -> anthropic.ModelInfo:
    created = datetime.fromisoformat(row.created or "1970-01-01").replace(tzinfo=UTC)
    return anthropic.ModelInfo(
        id=row.id,
        display_name=_display_name(row.id),
        created_at=created.isoformat().replace("+00:00", "Z"),
        line=row.line,
        max_input_tokens=row.max_input_tokens,
        max_tokens=row.max_tokens,
    )


def _display_name(id_: str) -> str:
    _, line, *version = id_.split("-")
    return f"Claude {line.capitalize()} {'.'.join(version)}"


# What `models` lists while upstream cannot be reached.
SHIPPED: tuple[anthropic.ModelInfo, ...] = tuple(_model_info(row) for row in _ROWS)
