"""Where the body of a reply goes: the contract between a connection and the code that reads its replies."""

from collections.abc import Awaitable, Callable
from typing import Protocol

Wait = Callable[[], Awaitable[None]]


class Sink(Protocol):
    """Receives the body of a reply, part by part, decompressed; a part is never empty.

    `feed` is called by the event loop as soon as a part has arrived, with no task in between: it must not block.
    If it returns a function, that is called and awaited before the next part; reading from upstream is paused
    meanwhile (backpressure). Once `over` is true the sink wants nothing more. What `feed` raises ends the reading.
    """

    @property
    def over(self) -> bool: ...

    def feed(self, data: bytes) -> Wait | None: ...
