"""What happens when a request has ended: each observer is called with its record, in order."""

import logging
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from claude_proxy.server.exchange import Exchange
from claude_proxy.wire.anthropic import Usage

log = logging.getLogger("claude_proxy.requests")

Observer = Callable[[Exchange], None]

MAX_CLIENTS = 64
MAX_TEXT = 100  # characters of a name that a client has chosen
MAX_ERROR = 500
_REFUSED = frozenset({401, 403, 415})  # what requests from web pages and other users get


@dataclass
class Counters:
    """The figures of `status`. Quiet requests do not count."""

    served: int = 0
    clients: Counter[str] = field(default_factory=Counter)
    last_error: str | None = None
    last_error_at: float | None = None

    def __call__(self, exchange: Exchange) -> None:
        if exchange.quiet:
            return
        self.served += 1
        known = exchange.client in self.clients or len(self.clients) < MAX_CLIENTS
        self.clients[exchange.client if known else "others"] += 1
        if exchange.error is not None:
            self.last_error, self.last_error_at = exchange.error.line[:MAX_ERROR], time.time()


@dataclass
class LogRateLimit:
    """Lets the first `limit` lines of a minute through, and reports the number of the others in the next minute."""

    limit: int = 20
    clock: Callable[[], float] = time.monotonic
    _minute: int = -1
    _count: int = 0

    def is_exceeded(self) -> bool:
        """Count one more line; whether it is one too many."""
        minute = int(self.clock() // 60)
        if minute != self._minute:
            if self._count > self.limit:
                log.warning("%d more requests were refused within a minute", self._count - self.limit)
            self._minute, self._count = minute, 0
        self._count += 1
        return self._count > self.limit


class RequestLog:
    """Writes one line for each request: at INFO, or at DEBUG for probes and for refusals beyond the rate limit."""

    def __init__(self, refusals: LogRateLimit | None = None) -> None:
        self._refusals = refusals or LogRateLimit()

    def __call__(self, exchange: Exchange) -> None:
        muted = exchange.status in _REFUSED and self._refusals.is_exceeded()
        level = logging.DEBUG if muted or (exchange.quiet and exchange.error is None) else logging.INFO
        if not log.isEnabledFor(level):
            return
        fields = _fields(exchange)
        arguments = (exchange.method, exchange.path, " ".join([f"{name}={value}" for name, value in fields.items()]))
        # As `log.log` does it, without walking the stack for the caller's file and line, which no format shows.
        record = logging.LogRecord(log.name, level, "", 0, "%s %s %s", arguments, None)
        record.fields = fields
        log.handle(record)


def _fields(exchange: Exchange) -> dict[str, object]:
    """What is known about the request, in the order of its line."""
    fields: dict[str, object] = {"id": exchange.id, "client": exchange.client}
    if exchange.model is not None:
        fields["model"] = _short(exchange.model)
    if exchange.upstream_model is not None and exchange.upstream_model != exchange.model:
        fields["upstream_model"] = _short(exchange.upstream_model)
    if exchange.status is not None:
        fields["status"] = exchange.status
    if exchange.left:
        fields["client_left"] = True
    if exchange.first_byte is not None:
        fields["first_byte_ms"] = _ms(exchange.first_byte - exchange.started)
    fields["total_ms"] = _ms(exchange.duration)
    if exchange.usage is not None:
        fields.update(_tokens(exchange.usage))
    if exchange.warnings:
        fields["warnings"] = _short(",".join(exchange.warnings[:20]), MAX_ERROR)
    if exchange.error is not None:
        fields["error"] = _short(exchange.error.line, MAX_ERROR)
    return fields


def _tokens(usage: Usage) -> dict[str, int]:
    """The input counts what was read from and written to the cache as well."""
    parts = (usage.input_tokens, usage.cache_read_input_tokens, usage.cache_creation_input_tokens)
    known = [part for part in parts if part is not None]
    tokens = {"input_tokens": sum(known)} if known else {}
    if usage.output_tokens is not None:
        tokens["output_tokens"] = usage.output_tokens
    return tokens


def _short(text: str, size: int = MAX_TEXT) -> str:
    """Text that a client or upstream has chosen, as it may stand in a line of the log: cut, and all of it visible."""
    text = text[:size]
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in text)


def _ms(seconds: float) -> int:
    return round(seconds * 1000)
