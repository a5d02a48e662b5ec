"""Rows of the usage ledger, summed up by day, model or client: what `GET /usage` and `claude-proxy usage` report.

The JSON is a contract. Input tokens are those that were neither read from the cache nor written to it. A sum is of
what is known, and null where nothing is; `cost_usd` is null as well where the price of a request is not known.
"""

import re
import time
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Literal, get_args

from msgspec import Struct

from claude_proxy import prices
from claude_proxy.errors import InvalidRequest
from claude_proxy.store.usage import CLIENT_LEFT, UsageRow

By = Literal["day", "model", "client"]
UNKNOWN = "unknown"

_UNITS = {"m": 60.0, "h": 3600.0, "d": 86400.0, "w": 7 * 86400.0}
_AGO = re.compile(r"([0-9]{1,6})([mhdw])")


class Figures(Struct, kw_only=True):
    """The sums of some requests. A request whose client left does not count as an error."""

    requests: int = 0
    errors: int = 0
    input_tokens: int | None = None
    cache_read_tokens: int | None = None
    cache_write_tokens: int | None = None
    output_tokens: int | None = None
    cost_usd: float | None = None

    def take(self, row: UsageRow, cost: float | None) -> None:
        self.requests += 1
        self.errors += row.error not in (None, CLIENT_LEFT)
        self.input_tokens = _added(self.input_tokens, row.input_tokens)
        self.cache_read_tokens = _added(self.cache_read_tokens, row.cache_read_tokens)
        self.cache_write_tokens = _added(self.cache_write_tokens, row.cache_write_tokens)
        self.output_tokens = _added(self.output_tokens, row.output_tokens)
        self.cost_usd = None if cost is None or self.cost_usd is None else self.cost_usd + cost

    def settle(self) -> None:
        """Round what was added up, and make the sums of no request zero: they are known."""
        if not self.requests:
            self.input_tokens = self.cache_read_tokens = self.cache_write_tokens = self.output_tokens = 0
        if self.cost_usd is not None:
            self.cost_usd = round(self.cost_usd, 6)


class GroupFigures(Figures, kw_only=True):
    key: str


class Report(Struct):
    """`since` and `until` are ISO 8601 in local time."""

    since: str
    until: str
    by: By
    rows: list[GroupFigures]
    total: Figures


def report(rows: Iterable[UsageRow], since: float, until: float, by: By) -> Report:
    """Sum up `rows`. Days are in local time and in order; models and clients come by their number of requests."""
    key_of = _KEYS[by]
    groups: dict[str, GroupFigures] = {}
    total = Figures(cost_usd=0.0)
    for row in rows:
        key = key_of(row)
        if (group := groups.get(key)) is None:
            group = groups[key] = GroupFigures(key=key, cost_usd=0.0)
        cost = prices.cost(row)
        group.take(row, cost)
        total.take(row, cost)
    for figures in (*groups.values(), total):
        figures.settle()
    ordered = sorted(groups.values(), key=lambda group: group.key)
    if by != "day":
        ordered.sort(key=lambda group: group.requests, reverse=True)
    return Report(_iso(since), _iso(until), by, ordered, total)


def begin_of(text: str, now: float) -> float:
    """The time that `text` means, in epoch seconds: `7d`, `12h` (ago), or a date or time in ISO 8601.

    Raises InvalidRequest.
    """
    if ago := _AGO.fullmatch(text):
        return max(0.0, now - int(ago[1]) * _UNITS[ago[2]])
    try:
        return max(0.0, datetime.fromisoformat(text).timestamp())  # without a zone it is local time
    except (ValueError, OverflowError, OSError):
        raise InvalidRequest(
            f"since must be a time such as 7d, 12h or 2026-01-31, not {text[:40]!r}", param="since"
        ) from None


def grouping(text: str) -> By:
    """Raises InvalidRequest."""
    for each in get_args(By):
        if text == each:
            found: By = each
            return found
    raise InvalidRequest(f"by must be day, model or client, not {text[:40]!r}", param="by")


def _day(row: UsageRow) -> str:
    return time.strftime("%Y-%m-%d", time.localtime(row.time))


_KEYS: dict[By, Callable[[UsageRow], str]] = {
    "day": _day,
    "model": lambda row: row.model or UNKNOWN,
    "client": lambda row: row.client,
}


def _added(known: int | None, count: int | None) -> int | None:
    if count is None:
        return known
    return count if known is None else known + count


def _iso(seconds: float) -> str:
    return datetime.fromtimestamp(round(seconds)).astimezone().isoformat()
