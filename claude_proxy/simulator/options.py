"""What can be set when the simulator is started."""

import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Options:
    """Times are seconds. Nothing here changes what is answered, only who may ask and how fast it comes."""

    latency: float = 0.0  # before the first byte of every answer
    token_delay: float = 0.0  # between two tokens of a stream
    api_key: str | None = None  # the one credential that is accepted; None accepts any that is not empty
    record: int = 0  # how many received requests to keep in `app[SENT]`
    stall: float = 600.0  # how long `/simulate stall` stays silent for a client that does not leave
    clock: Callable[[], float] = time.time  # what the time is, for the resets of the rate limits
