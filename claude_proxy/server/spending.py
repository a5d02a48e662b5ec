"""Limits that the user sets for spending: budgets for a day and a month, and the billing guard of a plan login.

A budget counts finished requests, in tokens or in US dollars at list price, within a calendar day or month of local
time. It begins with what the usage ledger holds, so a restart changes nothing. Requests that run while it is used up
go on; further ones get a 429.
"""

import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from claude_proxy import prices
from claude_proxy.config import Config
from claude_proxy.errors import ProxyError, StoreError
from claude_proxy.server.metering import UsageMeter
from claude_proxy.server.rate_limits import RateLimits
from claude_proxy.store import usage as ledger
from claude_proxy.store.usage import UsageRow
from claude_proxy.transport.threads import run_in_thread

log = logging.getLogger(__name__)

WARN_SHARE = 0.8
_KIND = "insufficient_quota"


class QuotaSpent(ProxyError):
    """A limit that the user has set for spending is reached."""

    status = 429
    type = _KIND
    code = _KIND

    def __init__(self, message: str, setting: str) -> None:
        super().__init__(message, hint=f"the setting is `{setting}`", headers={"x-should-retry": "false"})


class Budget(NamedTuple):
    """One limit: `setting` is its name in the settings, `spent` and `limit` are in `unit`."""

    setting: str
    period: str
    unit: str
    limit: float
    spent: float
    resets_at: float

    def describe(self, amount: float) -> str:
        return f"{amount:,.2f} USD at list price" if self.unit == "usd" else f"{amount:,.0f} tokens"


class Period:
    """A calendar day or month of local time, and what was spent in it."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.begin = self.end = 0.0
        self.tokens = 0
        self.usd = 0.0
        self.warned: set[str] = set()

    def enter(self, now: float) -> None:
        """Begin anew if `now` is in another period."""
        if self.begin <= now < self.end:
            return
        today = time.localtime(now)
        year, month, day = today.tm_year, today.tm_mon, today.tm_mday
        if self.name == "day":
            self.begin, self.end = _midnight(year, month, day), _midnight(year, month, day + 1)
        else:
            self.begin, self.end = _midnight(year, month, 1), _midnight(year, month + 1, 1)
        self.tokens, self.usd = 0, 0.0
        self.warned.clear()


def _midnight(year: int, month: int, day: int) -> float:
    return time.mktime((year, month, day, 0, 0, 0, 0, 0, -1))


class Spending:
    """Whether a further request may be sent. `config` returns the settings in force; budgets change with a restart."""

    def __init__(
        self,
        config: Callable[[], Config],
        meter: UsageMeter,
        *,
        limits: RateLimits | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._config = config
        self._meter = meter
        self._clock = clock
        self.limits = limits or RateLimits(clock)
        self._periods = (Period("day"), Period("month"))
        self._limits = _limits_of(config())
        self._needs_prices = any(name.endswith("_usd") for name, _ in self._limits)
        self._unpriced: set[str] = set()
        self._billing_warned = False

    async def load(self) -> None:
        """Count what was spent before this process began."""
        if not self._limits:
            return
        now = self._clock()
        for period in self._periods:
            period.enter(now)
        begin, end = min(period.begin for period in self._periods), max(period.end for period in self._periods)
        if self._needs_prices:
            await run_in_thread(prices.source, "load-prices")  # the import would hold up the event loop
        if self._meter.ledger is None:
            log.warning("budgets count from the start of this process: the setting `usage` is off")
            return
        try:
            rows = await self._meter.ledger.read(lambda connection: list(ledger.between(connection, begin, end)))
        except StoreError as exc:
            log.warning("budgets count from the start of this process: %s", exc.text)
        else:
            self.consume(rows)

    def consume(self, rows: Sequence[UsageRow]) -> None:
        """Count what finished requests have used."""
        if not rows or not self._limits:
            return
        now = self._clock()
        for period in self._periods:
            period.enter(now)
        for row in rows:
            usd = self._price(row) if self._needs_prices else 0.0
            for period in self._periods:
                if period.begin <= row.time < period.end:
                    period.tokens += row.tokens or 0
                    period.usd += usd
        for budget in self.budgets():
            self._warn(budget)

    def check(self) -> None:
        """Raise QuotaSpent if no further request may be sent."""
        if (until := self.limits.extra_usage_until) is not None and self._config().billing_guard == "stop":
            if self._clock() < until:
                raise QuotaSpent(
                    "upstream bills requests outside of the plan (extra usage), and the billing guard stops them; "
                    f"the plan's window resets at {_local(until)}",
                    "billing_guard",
                )
            self.limits.extra_usage_until = None
        if not self._limits:
            return
        self._meter.flush()
        for budget in self.budgets():
            if budget.spent >= budget.limit:
                raise QuotaSpent(
                    f"the budget of this {budget.period} is used up: {budget.describe(budget.spent)} of "
                    f"{budget.describe(budget.limit)}; it resets at {_local(budget.resets_at)}",
                    budget.setting,
                )

    def see(self, headers: Mapping[str, str], model: str | None, *, succeeded: bool) -> None:
        """Take note of the headers of upstream's reply, and warn once when it begins to bill extra usage."""
        self.limits.see(headers, model, succeeded=succeeded)
        if self.limits.extra_usage_until is None:
            self._billing_warned = False
        elif not self._billing_warned and self._config().billing_guard != "off":
            self._billing_warned = True
            log.warning("upstream bills requests outside of the plan (extra usage); the setting is `billing_guard`")

    def budgets(self) -> list[Budget]:
        """The budgets that are set, as they stand now."""
        now = self._clock()
        found = []
        for name, limit in self._limits:
            _, period_name, unit = name.split("_")
            period = next(each for each in self._periods if each.name == period_name)
            period.enter(now)
            spent = period.usd if unit == "usd" else period.tokens
            found.append(Budget(name, period_name, unit, limit, spent, period.end))
        return found

    def _warn(self, budget: Budget) -> None:
        period = next(each for each in self._periods if each.name == budget.period)
        if budget.spent < WARN_SHARE * budget.limit or budget.setting in period.warned:
            return
        period.warned.add(budget.setting)
        log.warning(
            "%s of the %s that `%s` allows are used; at the limit requests are refused until %s",
            budget.describe(budget.spent),
            budget.describe(budget.limit),
            budget.setting,
            _local(budget.resets_at),
        )

    def _price(self, row: UsageRow) -> float:
        if (usd := prices.cost(row)) is not None:
            return usd
        model = row.model or "unknown"
        if model not in self._unpriced and len(self._unpriced) < 100:
            self._unpriced.add(model)
            log.warning("no price is known of %s: budgets in USD do not count it", ascii(model))
        return 0.0


def _limits_of(config: Config) -> list[tuple[str, float]]:
    """The budgets that are set."""
    limits: Iterable[tuple[str, float]] = (
        ("budget_day_tokens", config.budget_day_tokens),
        ("budget_month_tokens", config.budget_month_tokens),
        ("budget_day_usd", config.budget_day_usd),
        ("budget_month_usd", config.budget_month_usd),
    )
    return [(name, limit) for name, limit in limits if limit]


def _local(seconds: float) -> str:
    return datetime.fromtimestamp(seconds).astimezone().isoformat(" ", "minutes")
