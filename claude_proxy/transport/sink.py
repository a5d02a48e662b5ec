"""Where the body of a reply goes: the contract between a connection and whoever reads its replies."""

from collections.abc import Awaitable, Callable
from typing import Protocol

Wait = Callable[[], Awaitable[None]]


class Sink(Protocol):
    """Where the body of a reply goes, part by part, decompressed, never empty.

    `feed` is called from the event loop the moment a part has arrived, with no task in between: it must not block.
    What it returns, if anything, is called and awaited before the next part comes, and upstream is held back
    meanwhile. Once `over` is true nothing more is wanted. Whatever `feed` raises ends the reading.
    """

    @property
    def over(self) -> bool: ...

    def feed(self, data: bytes) -> Wait | None: ...
