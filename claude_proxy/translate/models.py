"""What each model accepts, as data: a shipped table, overridden by the live Models API; names resolved to ids.

Adding a model is a row of `_ROWS`. A fact that the live API tells (limits, thinking types, effort levels) wins
over its row; the rest (sampling, forced tools, prefill, system messages) is only known here. An id without a
row is taken for the newest of its line.
"""

import dataclasses
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from msgspec import UNSET

from claude_proxy.errors import InvalidRequest
from claude_proxy.wire import anthropic
from claude_proxy.wire import chat_reply as answers

EFFORTS = ("low", "medium", "high", "xhigh", "max")
LINES = ("haiku", "sonnet", "opus", "fable", "mythos")

ForcedTools = Literal["accepted", "not with enabled thinking", "refused"]


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


def model_for(id_: str, live: Mapping[str, anthropic.ModelInfo]) -> Model:
    """What the model `id_` accepts; `live` is upstream's own list by id, empty where it is not known."""
    row = MODELS.get(id_) or MODELS.get(_DATED.sub("", id_)) or _newest_of_line(id_)
    told = _told(live[id_]) if id_ in live else {}
    return row if row.id == id_ and not told else dataclasses.replace(row, id=id_, **told)  # type: ignore[arg-type]


def _newest_of_line(id_: str) -> Model:
    line = _line(id_) or "sonnet"
    return next(row for row in _ROWS if row.line == line)


def _told(info: anthropic.ModelInfo) -> dict[str, object]:
    """The facts of a Model that upstream itself tells."""
    told: dict[str, object] = {}
    if info.max_tokens:
        told["max_tokens"] = info.max_tokens
    if info.max_input_tokens:
        told["max_input_tokens"] = info.max_input_tokens
    capabilities = info.capabilities or anthropic.ModelCapabilities()
    if capabilities.thinking and (types := capabilities.thinking.types):
        leaves = (types.adaptive, types.between_tools, types.disabled, types.enabled)
        names = ("adaptive", "between_tools", "disabled", "enabled")
        told["thinking"] = frozenset(name for name, leaf in zip(names, leaves, strict=True) if leaf.supported)
    if effort := capabilities.effort:
        levels = (effort.low, effort.medium, effort.high, effort.xhigh, effort.max)
        known = tuple(name for name, leaf in zip(EFFORTS, levels, strict=True) if leaf and leaf.supported)
        told["efforts"] = known if effort.supported else ()
    return told


def resolve(name: str, aliases: Mapping[str, str], models: Iterable[anthropic.ModelInfo]) -> str:
    """The model id that a client's `name` means: an alias of the user's, a line's name, or the name itself.

    `aliases` are the user's; `models` is upstream's list, newest first. A name nobody knows is returned as it
    is: upstream says 404. Raises InvalidRequest when an alias points at a retired model.
    """
    wanted = aliases.get(name) or _without_prefix(name)
    wanted = _without_prefix(aliases.get(wanted, wanted))
    models = tuple(models)
    if wanted in LINES:
        active = (info.id for info in models if (info.line or _line(info.id)) == wanted and info.lifecycle == "active")
        return next(active, None) or _newest_of_line(wanted).id
    if wanted != name and any(info.id == wanted and info.lifecycle == "retired" for info in models):
        raise InvalidRequest(
            f"The model '{name}' is an alias of '{wanted}', which is retired.",
            param="model",
            code="model_not_found",
            hint="change the alias in your configuration",
        )
    return wanted


def _without_prefix(name: str) -> str:
    for prefix in _PREFIXES:
        name = name.removeprefix(prefix)
    return name


def to_openai_model(info: anthropic.ModelInfo) -> answers.Model:
    """A row of upstream's list in OpenAI's shape; `created` is 0 where upstream does not know it."""
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


def _shipped(row: Model) -> anthropic.ModelInfo:
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


# What `models` lists when upstream cannot be asked.
SHIPPED: tuple[anthropic.ModelInfo, ...] = tuple(_shipped(row) for row in _ROWS)
