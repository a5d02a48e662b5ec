"""What one running server knows: its settings, its upstream, and the requests under way."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from aiohttp import web

from claude_proxy.config import Config
from claude_proxy.server.exchange import Exchange
from claude_proxy.server.live import LiveFeed
from claude_proxy.server.metering import UsageMeter
from claude_proxy.server.observers import Counters, Observer, RequestLog
from claude_proxy.server.spending import Spending
from claude_proxy.translate.memory import ThinkingMemory
from claude_proxy.transport.coalescing import WriteCoalescer
from claude_proxy.upstream.base import Backend

if TYPE_CHECKING:
    from claude_proxy.credentials.chain import CredentialChain
    from claude_proxy.server.catalog import Catalog

MAX_WARNED = 1000


@dataclass(eq=False)
class State:
    """One running server. Each request is announced with `begin` and ends with `finish`, which tells the observers."""

    config: Config
    backend: Backend
    chain: "CredentialChain"
    catalog: "Catalog"
    nonce: str | None = None
    address: str = ""
    started: float = field(default_factory=time.time)
    stopping: bool = False
    open: set[Exchange] = field(default_factory=set)
    counters: Counters = field(default_factory=Counters)
    meter: UsageMeter = field(default_factory=UsageMeter)
    spending: Spending = field(init=False)
    live: LiveFeed = field(default_factory=LiveFeed)
    observers: tuple[Observer, ...] = ()
    thinking: ThinkingMemory = field(default_factory=ThinkingMemory)
    coalescer: WriteCoalescer = field(default_factory=WriteCoalescer)
    on_stop: set[Callable[[], None]] = field(default_factory=set)  # called when the server is told to stop
    warned: set[tuple[str, str]] = field(default_factory=set)  # pairs of client and parameter, at most MAX_WARNED
    clock: Callable[[], float] = time.monotonic

    def __post_init__(self) -> None:
        self.spending = Spending(lambda: self.config, self.meter)
        self.meter.consumers.append(self.spending.consume)
        self.observers = self.observers or (self.counters, RequestLog(), self.meter, self.live)

    def begin(self, exchange: Exchange) -> None:
        self.open.add(exchange)

    def finish(self, exchange: Exchange) -> None:
        exchange.ended = self.clock()
        exchange.task = None
        self.open.discard(exchange)
        for observer in self.observers:
            observer(exchange)

    def open_requests(self) -> int:
        """How many requests are running, without probes."""
        return sum(not each.quiet for each in self.open)

    def first_time(self, key: tuple[str, str]) -> bool:
        """Whether `key`, a client and a parameter, is new; it is remembered. Beyond MAX_WARNED none counts as new."""
        if key in self.warned or len(self.warned) >= MAX_WARNED:
            return False
        self.warned.add(key)
        return True


STATE = web.AppKey("state", State)
