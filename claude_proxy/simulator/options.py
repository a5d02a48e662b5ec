"""The simulator's options."""

import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Options:
    """Times are in seconds. Only `adaptive_with_forced_tool` changes which requests are accepted."""

    latency: float = 0.0  # before the first byte of every answer
    token_delay: float = 0.0  # between two tokens of a stream
    api_key: str | None = None  # the only accepted credential; None accepts any non-empty one
    # Whether a forced tool_choice is accepted beside `thinking: adaptive`. Versions of the API differ: the page on
    # extended thinking allows only auto and none, current adapters send the pair to the 5 family.
    adaptive_with_forced_tool: bool = False
    record: int = 0  # number of received requests kept in `app[SENT]`
    stall: float = 600.0  # how long `/simulate stall` waits before it closes the connection
    clock: Callable[[], float] = time.time  # current time, for the reset times of the rate limits
