"""The record of one request: what happened to it, filled while it runs and given to the observers when it ends."""

import asyncio
import functools
import re
import time

import msgspec
from aiohttp import web
from msgspec import Struct

from claude_proxy.dialects.base import Dialect, ErrorReport
from claude_proxy.translate.draft import Note
from claude_proxy.wire.anthropic import Usage

# A client chooses its own name, so its length is bounded.
_PRODUCT = re.compile(r"[\w.+-]{1,40}(?:/(?!v?\d)[\w.+-]{1,40})?")


class Exchange(Struct, eq=False, weakref=True):
    """One request and its reply. Endpoints fill in what they learn, the server the rest.

    Times are monotonic seconds. `usage` is upstream's, of all requests that were sent for this one; what upstream has
    not said is None. A run without a client's connection has a record as well.
    """

    id: str
    method: str
    path: str
    client: str
    dialect: Dialect
    started: float = msgspec.field(default_factory=time.monotonic)
    first_byte: float | None = None
    ended: float | None = None
    model: str | None = None  # as the client wrote it: unbounded, and not for a log as it is
    upstream_model: str | None = None
    backend: str | None = None  # what answered
    status: int | None = None
    usage: Usage | None = None
    metered: bool = False  # a request to a model: it has a row in the usage ledger
    choices: int = 1
    upstream_requests: int = 0  # how many requests for a message were sent for it
    warnings: tuple[str, ...] = ()
    notes: tuple[Note, ...] = ()  # what the translation changed
    error: ErrorReport | None = None
    left: bool = False  # the client closed the connection before the end
    quiet: bool = False  # a probe that would fill the log: one line at DEBUG
    task: asyncio.Task[object] | None = None  # to be cancelled when the server stops; None once it has ended

    @property
    def duration(self) -> float:
        """Seconds from the request to the end of its reply, or until now."""
        return (time.monotonic() if self.ended is None else self.ended) - self.started


EXCHANGE = web.RequestKey("exchange", Exchange)
BODY = web.RequestKey("body", bytes)  # the whole of it; absent where there is none


@functools.lru_cache(maxsize=256)
def client_name(user_agent: str) -> str:
    """The name of a client without its version: `OpenAI/Python` of `OpenAI/Python 3.54.0`, `curl` of `curl/8.5`."""
    found = _PRODUCT.match(user_agent)
    return found[0] if found else "unknown"
