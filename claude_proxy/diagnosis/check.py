"""What a check reports."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from claude_proxy.errors import ProxyError

State = Literal["ok", "note", "failed"]


@dataclass(frozen=True)
class Check:
    """The result of one check. A failed one has a hint."""

    name: str
    state: State
    detail: str
    hint: str | None = None


def run(name: str, look: Callable[[], Check]) -> Check:
    """The result of `look`; a ProxyError is a failed check."""
    try:
        return look()
    except ProxyError as exc:
        return failed(name, exc)


def failed(name: str, exc: ProxyError) -> Check:
    return Check(name, "failed", exc.message.partition(";")[0], exc.hint)
