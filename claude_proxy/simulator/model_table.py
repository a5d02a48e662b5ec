"""The models and the features each of them accepts.

A row is what the Models API says about a model and what the Messages API refuses for it. Facts that the
Models API does not publish (forced tool choice, prefill, system messages in mid-conversation) stand beside them.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

EFFORTS = ("low", "medium", "high", "xhigh", "max")
_EPOCH = "1970-01-01T00:00:00Z"  # the API's value for "unknown"

Lifecycle = Literal["active", "deprecated", "retired"]


@dataclass(frozen=True)
class Model:
    id: str
    thinking: frozenset[str]  # values of thinking.type that are accepted
    efforts: tuple[str, ...] = EFFORTS
    context: int = 1_000_000
    max_tokens: int = 128_000
    alias: str | None = None
    sampling: bool = False  # temperature, top_p and top_k have an effect
    thinks: bool = True  # thinking is on when the request does not say
    forced_choice: bool = True  # tool_choice any/tool is accepted
    prefill: bool = False
    system_role: Literal["accepted", "ignored", "refused"] = "accepted"  # in mid-conversation
    display: Literal["omitted", "summarized"] = "omitted"  # of thinking, when the request does not say
    binds: bool = False  # thinking blocks are bound to the conversation before them
    fast: bool = False
    cacheable: int = 512  # tokens; a shorter prefix is not cached
    compacts: bool = True
    created_at: str = _EPOCH
    lifecycle: Lifecycle = "active"
    deprecated_at: str | None = None
    retires_at: str | None = None

    @property
    def line(self) -> str:
        """haiku, sonnet, opus, fable or mythos."""
        return self.id.split("-")[1]

    @property
    def display_name(self) -> str:
        numbers = [part for part in self.id.split("-")[2:] if len(part) < 8]
        return f"Claude {self.line.capitalize()} {'.'.join(numbers) if numbers != ['preview'] else 'Preview'}"


_ADAPTIVE = frozenset({"adaptive"})
_OPTIONAL = frozenset({"adaptive", "disabled"})
_MANUAL = frozenset({"enabled", "disabled"})
_UP_TO_HIGH = ("low", "medium", "high")
_NO_XHIGH = ("low", "medium", "high", "max")


def _five(id: str, **differs: Any) -> Model:  # noqa: A002
    """A model of the 5.1, 5.2 and 5.5 generations."""
    common: dict[str, Any] = {"thinking": _ADAPTIVE, "forced_choice": False}
    return Model(id, **(common | differs))


def _four_five(id: str, alias: str, **differs: Any) -> Model:  # noqa: A002
    common: dict[str, Any] = {
        "thinking": _MANUAL,
        "efforts": (),
        "context": 200_000,
        "max_tokens": 64_000,
        "alias": alias,
        "sampling": True,
        "thinks": False,
        "prefill": True,
        "system_role": "refused",
        "display": "summarized",
        "cacheable": 4096,
        "compacts": False,
    }
    return Model(id, **(common | differs))


# Newest first, as the Models API lists them.
MODELS: tuple[Model, ...] = (
    _five("claude-fable-5-2", binds=True, fast=True),
    _five("claude-mythos-5-2", binds=True, fast=True),
    _five("claude-haiku-5-5", binds=True, thinking=_OPTIONAL, forced_choice=True),
    _five("claude-sonnet-5-5", binds=True, thinking=frozenset({"adaptive", "between_tools"})),
    _five("claude-fable-5-1", binds=True),
    _five("claude-opus-5-5", binds=True, fast=True),
    _five("claude-mythos-5-1"),
    Model("claude-sonnet-5", _OPTIONAL, system_role="ignored", cacheable=1024),
    Model("claude-fable-5", _ADAPTIVE),
    Model("claude-mythos-5", _ADAPTIVE),
    Model("claude-opus-5", _OPTIONAL, fast=True),
    Model("claude-opus-4-8", _OPTIONAL, thinks=False, fast=True, cacheable=1024),
    Model("claude-opus-4-7", _OPTIONAL, thinks=False, system_role="refused", cacheable=2048),
    Model(
        "claude-mythos-preview",
        frozenset({"adaptive", "enabled"}),
        _NO_XHIGH,
        forced_choice=False,
        system_role="refused",
        display="summarized",
        cacheable=2048,
        lifecycle="retired",
        retires_at="2026-06-30T00:00:00Z",
    ),
    *(
        Model(
            id,
            frozenset({"adaptive", "enabled", "disabled"}),
            _NO_XHIGH,
            sampling=True,
            thinks=False,
            system_role="refused",
            display="summarized",
            cacheable=cacheable,
        )
        for id, cacheable in (("claude-opus-4-6", 4096), ("claude-sonnet-4-6", 1024))  # noqa: A001
    ),
    _four_five("claude-opus-4-5-20251101", "claude-opus-4-5", efforts=_UP_TO_HIGH, created_at="2025-11-01T00:00:00Z"),
    _four_five("claude-haiku-4-5-20251001", "claude-haiku-4-5", created_at="2025-10-01T00:00:00Z"),
    _four_five(
        "claude-sonnet-4-5-20250929",
        "claude-sonnet-4-5",
        cacheable=1024,
        created_at="2025-09-29T00:00:00Z",
        lifecycle="deprecated",
        retires_at="2026-11-30T00:00:00Z",
    ),
)

# With thinking disabled these accept effort only up to `high`; older models accept every level.
CAPPED_WITHOUT_THINKING = frozenset({"claude-opus-4-8", "claude-opus-5", "claude-sonnet-5-5", "claude-haiku-5-5"})

_BY_NAME = {name: model for model in MODELS for name in (model.id, model.alias) if name}


def find_model(name: str) -> Model | None:
    """The model with the id or alias `name`, retired ones included."""
    return _BY_NAME.get(name)


def listed(lifecycles: Iterable[str] = ("active", "deprecated")) -> list[Model]:
    wanted = frozenset(lifecycles)
    return [model for model in MODELS if model.lifecycle in wanted]


def info(model: Model) -> dict[str, Any]:
    """`model` as the Models API describes it."""
    return {
        "type": "model",
        "id": model.id,
        "display_name": model.display_name,
        "created_at": model.created_at,
        "lifecycle": model.lifecycle,
        "line": model.line,
        "max_input_tokens": model.context,
        "max_tokens": model.max_tokens,
        "deprecated_at": model.deprecated_at,
        "retires_at": model.retires_at,
        "capabilities": dict(_capabilities(model)),
    }


def _capabilities(model: Model) -> Iterator[tuple[str, Any]]:
    yes = {"supported": True}
    for name in ("batch", "citations", "code_execution", "image_input", "pdf_input", "structured_outputs"):
        yield name, yes
    yield "server_tools", yes | {"web_search": yes, "code_execution": yes}
    edits = {"clear_thinking_20251015": yes, "clear_tool_uses_20250919": yes}
    yield "context_management", yes | edits | {"compact_20260112": {"supported": model.compacts}}
    yield "effort", {"supported": bool(model.efforts)} | _each(EFFORTS, model.efforts)
    types = _each(("adaptive", "between_tools", "disabled", "enabled"), model.thinking)
    yield "thinking", yes | {"types": types}


def _each(names: Iterable[str], supported: Iterable[str]) -> dict[str, Any]:
    able = frozenset(supported)
    return {name: {"supported": name in able} for name in names}
