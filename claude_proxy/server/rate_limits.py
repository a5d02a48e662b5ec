"""The limits that upstream's headers told last: windows of a plan login, and rate limits of a key for each model.

The headers are kept as they came and read only when `status` asks. The family `anthropic-ratelimit-unified-*` of plan
logins is not documented; a value that cannot be read is absent.
"""

import re
import time
from collections.abc import Callable, Mapping
from datetime import datetime

Headers = Mapping[str, str]

MAX_MODELS = 64
MAX_TEXT = 40
# How long extra usage is assumed to go on where upstream does not tell when the plan's window begins anew.
UNKNOWN_RESET = 900.0

_PLAN = "anthropic-ratelimit-unified-"
_KEY = "anthropic-ratelimit-"
_WINDOW = re.compile(rf"{_PLAN}([0-9]+[a-z][a-z0-9_]*)-(status|utilization|reset)")
_COUNTS = ("requests", "tokens", "input-tokens", "output-tokens")


class RateLimits:
    """What was seen last. `extra_usage_until` is set while upstream bills requests outside of the plan."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._plan: tuple[Headers, float] | None = None
        self._keys: dict[str, tuple[Headers, float]] = {}
        self.extra_usage_until: float | None = None

    def see(self, headers: Headers, model: str | None, *, succeeded: bool) -> None:
        """Take note of a reply's headers, whose names are in lower case. Called for every reply."""
        if _PLAN + "status" in headers:
            now = self._clock()
            self._plan = headers, now
            self.extra_usage_until = _window_end(headers, now) if _is_billed_outside(headers, succeeded) else None
        elif _KEY + "requests-limit" in headers or _KEY + "tokens-limit" in headers:
            name = (model or "unknown")[:100]
            if name in self._keys or len(self._keys) < MAX_MODELS:
                self._keys[name] = headers, self._clock()

    def report(self) -> dict[str, object]:
        """What is known, with its age in seconds, for `status`."""
        now = self._clock()
        return {
            "plan": None if self._plan is None else _plan_report(*self._plan, now),
            "keys": [{"model": model, **_key_report(*seen, now)} for model, seen in self._keys.items()],
        }


def _is_billed_outside(headers: Headers, succeeded: bool) -> bool:
    """Whether upstream says that it bills this request as extra usage, beside the plan."""
    if (told := headers.get(_PLAN + "overage-in-use")) is not None:
        return told.lower() == "true"
    # Without that header: the plan's window is used up, and the request was answered all the same.
    spent = headers.get(_PLAN + "status") == "rejected"
    return succeeded and spent and headers.get(_PLAN + "overage-status", "").startswith("allowed")


def _window_end(headers: Headers, now: float) -> float:
    reset = _number(headers.get(_PLAN + "reset"))
    return reset if reset is not None and reset > now else now + UNKNOWN_RESET


def _plan_report(headers: Headers, at: float, now: float) -> dict[str, object]:
    windows: dict[str, dict[str, object]] = {}
    for name, value in headers.items():
        if found := _WINDOW.fullmatch(name):
            known = value[:MAX_TEXT] if found[2] == "status" else _number(value)
            windows.setdefault(found[1], {})[found[2]] = known
    return {
        **_age(at, now),
        "status": _text(headers.get(_PLAN + "status")),
        "reset": _number(headers.get(_PLAN + "reset")),
        "window": _text(headers.get(_PLAN + "representative-claim")),
        "windows": windows,
        "extra_usage": {
            "status": _text(headers.get(_PLAN + "overage-status")),
            "in_use": _flag(headers.get(_PLAN + "overage-in-use")),
            "reset": _number(headers.get(_PLAN + "overage-reset")),
        },
    }


def _key_report(headers: Headers, at: float, now: float) -> dict[str, object]:
    report: dict[str, object] = _age(at, now)
    for each in _COUNTS:
        if (limit := headers.get(f"{_KEY}{each}-limit")) is not None:
            report[each.replace("-", "_")] = {
                "limit": _number(limit),
                "remaining": _number(headers.get(f"{_KEY}{each}-remaining")),
                "reset": _instant(headers.get(f"{_KEY}{each}-reset")),
            }
    return report


def _age(at: float, now: float) -> dict[str, object]:
    return {"at": at, "age": round(max(0.0, now - at), 3)}


def _text(value: str | None) -> str | None:
    return None if value is None else value[:MAX_TEXT]


def _flag(value: str | None) -> bool | None:
    return None if value is None else value.lower() == "true"


_NUMBER = re.compile(r"[0-9]{1,15}(?:\.[0-9]{1,9})?")


def _number(value: str | None) -> float | None:
    return float(value) if value is not None and _NUMBER.fullmatch(value) else None


def _instant(value: str | None) -> float | None:
    try:
        return datetime.fromisoformat(value or "").timestamp()
    except (ValueError, OverflowError):
        return None
