"""Whether a request that failed before its first byte is sent again, and after how long. Pure."""

from collections.abc import Mapping

LONGEST_PAUSE = 8.0  # a longer wait is the client's business: it is told `retry-after` at once
FIRST_PAUSE = 0.5
MOST = 4  # whatever the setting says: with the longest pauses a client waits a minute, and it tries again itself

# Upstream is busy, not unwilling. Anything else would fail the same way, or was already charged for.
_BUSY = (429, 503, 529)


def budget(retries: int, headers: Mapping[str, str]) -> int:
    """How many retries are left to us, out of `retries`, for a client that has tried before by itself."""
    retries = min(retries, MOST)
    tried = next((value for name, value in headers.items() if name.lower() == "x-stainless-retry-count"), "0")
    return max(0, retries - int(tried[:3])) if tried.isascii() and tried.isdigit() else retries


def pause(attempt: int) -> float:
    """Seconds before retry number `attempt`, counted from 0, when upstream names none."""
    return min(LONGEST_PAUSE, FIRST_PAUSE * float(2**attempt))


def pause_after(status: int, headers: Mapping[str, str], attempt: int) -> float | None:
    """Seconds before a reply like this is worth another try; None if it is not. `headers` has lower-case names."""
    if status not in _BUSY or headers.get("x-should-retry") == "false":
        return None
    named = _named(headers)
    if named is None:
        return None if status == 429 else pause(attempt)
    return named if named <= LONGEST_PAUSE else None


def _named(headers: Mapping[str, str]) -> float | None:
    for name, unit in (("retry-after-ms", 1000.0), ("retry-after", 1.0)):
        try:
            return max(0.0, float(headers[name]) / unit)
        except (KeyError, ValueError):  # a date is longer away than what we wait
            continue
    return None
