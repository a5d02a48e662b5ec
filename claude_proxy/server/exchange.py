"""What the server remembers: one record per request, and one for the whole life of the process."""

import asyncio
import functools
import logging
import re
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import msgspec
from aiohttp import web
from msgspec import Struct

from claude_proxy.config import Config
from claude_proxy.translate.memory import ThinkingMemory
from claude_proxy.transport.coalescing import WriteCoalescer
from claude_proxy.upstream.base import Backend

if TYPE_CHECKING:
    from claude_proxy.credentials.chain import CredentialChain
    from claude_proxy.server.catalog import Catalog

log = logging.getLogger("claude_proxy.requests")

Dialect = Literal["openai", "anthropic"]

# A client chooses its own name, so the number of names and their length are bounded.
_MAX_CLIENTS = 64
_MAX_WARNED = 1000
_PRODUCT = re.compile(r"[\w.+-]{1,40}(?:/(?!v?\d)[\w.+-]{1,40})?")


class Exchange(Struct, eq=False):
    """One request and its reply. Endpoints fill what they learn; the server fills the rest and logs it at the end."""

    id: str
    method: str
    path: str
    client: str
    dialect: Dialect
    started: float = msgspec.field(default_factory=time.monotonic)
    model: str | None = None
    upstream_model: str | None = None
    status: int | None = None
    first_byte: float | None = None  # monotonic seconds, like `started`
    input_tokens: int | None = None
    output_tokens: int | None = None
    warnings: tuple[str, ...] = ()
    error: str | None = None
    left: bool = False  # the client went before the end
    quiet: bool = False  # a probe that would fill the log: one line at DEBUG
    task: asyncio.Task[object] | None = None

    def log_end(self, *, muted: bool = False) -> None:
        """The one line of this request; at DEBUG when it is `muted`."""
        level = logging.DEBUG if muted or (self.quiet and self.error is None) else logging.INFO
        if not log.isEnabledFor(level):
            return
        fields = self._fields()
        told = (self.method, self.path, " ".join([f"{name}={value}" for name, value in fields.items()]))
        # As `log.log` does it, without walking the stack for the place of this call, which no format shows.
        record = logging.LogRecord(log.name, level, "", 0, "%s %s %s", told, None)
        record.fields = fields
        log.handle(record)

    def _fields(self) -> dict[str, object]:
        """What is known about the request, in the order of its line."""
        fields: dict[str, object] = {"id": self.id, "client": self.client}
        if self.model is not None:
            fields["model"] = self.model
        if self.upstream_model is not None and self.upstream_model != self.model:
            fields["upstream_model"] = self.upstream_model
        if self.status is not None:
            fields["status"] = self.status
        if self.left:
            fields["client_left"] = True
        if self.first_byte is not None:
            fields["first_byte_ms"] = _ms(self.first_byte - self.started)
        fields["total_ms"] = _ms(time.monotonic() - self.started)
        if self.input_tokens is not None:
            fields["input_tokens"] = self.input_tokens
        if self.output_tokens is not None:
            fields["output_tokens"] = self.output_tokens
        if self.warnings:
            fields["warnings"] = ",".join(self.warnings)
        if self.error is not None:
            fields["error"] = self.error
        return fields


@dataclass
class Burst:
    """Lets the first few of a minute through: a page that keeps knocking must not fill the log."""

    limit: int = 20
    clock: Callable[[], float] = time.monotonic
    _minute: int = -1
    _count: int = 0

    def is_over(self) -> bool:
        """Count one more; whether it is one too many."""
        minute = int(self.clock() // 60)
        if minute != self._minute:
            if self._count > self.limit:
                log.warning("%d more requests were refused within a minute", self._count - self.limit)
            self._minute, self._count = minute, 0
        self._count += 1
        return self._count > self.limit


@dataclass(eq=False)
class State:
    """One running server: what endpoints ask (`config`, `backend`, `catalog`), and what `status` tells."""

    config: Config
    backend: Backend
    chain: "CredentialChain"
    catalog: "Catalog"
    nonce: str | None = None
    address: str = ""
    started: float = field(default_factory=time.time)
    stopping: bool = False
    served: int = 0
    open: set[Exchange] = field(default_factory=set)
    clients: Counter[str] = field(default_factory=Counter)
    refused: Burst = field(default_factory=Burst)
    last_error: str | None = None
    last_error_at: float | None = None
    thinking: ThinkingMemory = field(default_factory=ThinkingMemory)
    outbox: WriteCoalescer = field(default_factory=WriteCoalescer)
    warned: set[tuple[str, str]] = field(default_factory=set)  # clients and parameters, bounded

    def first_time(self, key: tuple[str, str]) -> bool:
        """Whether `key`, a client and a parameter, was never warned about; from now on it was."""
        if key in self.warned or len(self.warned) >= _MAX_WARNED:
            return False
        self.warned.add(key)
        return True

    def count(self, exchange: Exchange) -> None:
        """Take a finished exchange into the figures; probes are none of them."""
        if exchange.quiet:
            return
        self.served += 1
        known = exchange.client in self.clients or len(self.clients) < _MAX_CLIENTS
        self.clients[exchange.client if known else "others"] += 1
        if exchange.error is not None:
            self.last_error, self.last_error_at = exchange.error, time.time()


STATE = web.AppKey("state", State)
EXCHANGE = web.RequestKey("exchange", Exchange)
BODY = web.RequestKey("body", bytes)  # the whole of it; absent where there is none


@functools.lru_cache(maxsize=256)
def client_name(user_agent: str) -> str:
    """The name of a client without its version: `OpenAI/Python` of `OpenAI/Python 3.54.0`, `curl` of `curl/8.5`."""
    found = _PRODUCT.match(user_agent)
    return found[0] if found else "unknown"


def _ms(seconds: float) -> int:
    return round(seconds * 1000)
