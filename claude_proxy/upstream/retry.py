"""Whether a request that failed before its first byte is sent again, and after which delay. Pure."""

from collections.abc import Mapping

MAX_DELAY = 8.0  # seconds; if upstream asks for more, the client gets the reply and its `retry-after` at once
FIRST_DELAY = 0.5
MAX_RETRIES = 4  # a limit on the setting: with the longest delays a client waits some 40 s, and it retries by itself

# Overload and rate limits pass. Other errors would repeat, or the request was already charged for.
_RETRYABLE = (429, 503, 529)


def budget(retries: int, client_retries: int) -> int:
    """How many of `retries` remain for a request that the client has already repeated `client_retries` times."""
    return max(0, min(retries, MAX_RETRIES) - client_retries)


def client_retries(headers: Mapping[str, str]) -> int:
    """How often the client says that it has repeated this request (`x-stainless-retry-count`, sent by both SDKs)."""
    value = next((value for name, value in headers.items() if name.lower() == "x-stainless-retry-count"), "0")
    return int(value[:3]) if value.isascii() and value.isdigit() else 0


def backoff(attempt: int) -> float:
    """Seconds before retry number `attempt`, counted from 0, when upstream does not say how long to wait."""
    return min(MAX_DELAY, FIRST_DELAY * float(2**attempt))


def delay_after(status: int, headers: Mapping[str, str], attempt: int) -> float | None:
    """Seconds to wait before this reply is worth a retry; None if it is not. `headers` has lower-case names.

    A 429 is retried only when it says how long to wait: without `retry-after` the limit may last for hours.
    """
    if status not in _RETRYABLE or headers.get("x-should-retry") == "false":
        return None
    requested = _retry_after(headers)
    if requested is None:
        return None if status == 429 else backoff(attempt)
    return requested if requested <= MAX_DELAY else None


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """The delay that upstream asks for, in seconds. A `retry-after` that is a date counts as absent."""
    for name, unit in (("retry-after-ms", 1000.0), ("retry-after", 1.0)):
        try:
            return max(0.0, float(headers[name]) / unit)
        except (KeyError, ValueError):
            continue
    return None
