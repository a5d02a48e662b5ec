import asyncio
import dataclasses
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import TypeVar

import aiohttp
import pytest

from claude_proxy.config import Config, load
from claude_proxy.errors import StoreError
from claude_proxy.server.metering import UsageMeter
from claude_proxy.server.spending import QuotaSpent, Spending
from claude_proxy.store.store import Store
from claude_proxy.store.usage import UsageRow
from claude_proxy.store.worker import Work
from tests.server.test_rate_limits import PLAN, UNIFIED
from tests.store.test_usage import row as plain_row
from tests.support.daemon import daemon

NOON = datetime(2026, 11, 20, 12).astimezone().timestamp()
MIDNIGHT = datetime(2026, 11, 21).astimezone().timestamp()
MONTH_END = datetime(2026, 12, 1).astimezone().timestamp()
DAY = 86400.0
T = TypeVar("T")
ASK = {"model": "claude-sonnet-4-5", "max_tokens": 100, "messages": [{"role": "user", "content": "Hello"}]}


class Clock:
    now = NOON

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


Make = Callable[..., Spending]


@pytest.fixture
def make(clock: Clock) -> Make:
    def make(meter: UsageMeter | None = None, **settings: object) -> Spending:
        config = load(settings, {})
        return Spending(lambda: config, meter or UsageMeter(), clock=clock)

    return make


def row(tokens: int = 100, time: float = NOON, **fields: object) -> UsageRow:
    known: dict[str, object] = {"time": time, "input_tokens": tokens, "model": "claude-opus-5-5"}
    known |= dict.fromkeys(("cache_read_tokens", "cache_write_tokens", "output_tokens"))
    return plain_row(0, **{**known, **fields})


def test_without_a_budget_nothing_is_counted_and_nothing_refused(make: Make):
    spending = make()
    spending.consume([row(10**9)])
    spending.check()
    assert spending.budgets() == []


def test_at_the_budget_requests_are_refused_with_the_time_of_the_reset(make: Make):
    spending = make(budget_day_tokens=1000)
    spending.consume([row(999)])
    spending.check()
    spending.consume([row(1)])
    with pytest.raises(QuotaSpent) as caught:
        spending.check()
    assert (caught.value.status, caught.value.code, caught.value.type) == (429, *("insufficient_quota",) * 2)
    assert caught.value.headers == {"x-should-retry": "false"}
    assert "1,000 tokens of 1,000 tokens; it resets at 2026-11-21 00:00" in caught.value.message
    assert "budget_day_tokens" in caught.value.text


def test_every_kind_of_token_counts(make: Make):
    spending = make(budget_day_tokens=43210)
    spending.consume([plain_row(0, time=NOON)])
    assert spending.budgets()[0].spent == 43210


def test_a_day_and_a_month_begin_anew(make: Make, clock: Clock):
    spending = make(budget_day_tokens=100, budget_month_tokens=150)
    spending.consume([row(100)])
    with pytest.raises(QuotaSpent):
        spending.check()
    assert [each.resets_at for each in spending.budgets()] == [MIDNIGHT, MONTH_END]
    clock.now = MIDNIGHT
    spending.check()
    spending.consume([row(60, MIDNIGHT)])
    with pytest.raises(QuotaSpent) as caught:
        spending.check()
    assert "this month" in caught.value.message
    clock.now = MONTH_END
    spending.check()


def test_a_request_counts_in_the_period_in_which_it_began(make: Make, clock: Clock):
    spending = make(budget_day_tokens=100)
    clock.now = MIDNIGHT + 1
    spending.consume([row(100, MIDNIGHT - 1)])
    assert spending.budgets()[0].spent == 0


def test_a_budget_in_dollars_is_at_list_price(make: Make):
    spending = make(budget_day_usd=4.0)
    spending.consume([row(999_999)])  # at $4 a million
    spending.check()
    spending.consume([row(1)])
    with pytest.raises(QuotaSpent) as caught:
        spending.check()
    assert "4.00 USD at list price of 4.00 USD" in caught.value.message


def test_a_model_without_a_price_is_named_once(make: Make, caplog: pytest.LogCaptureFixture):
    spending = make(budget_day_usd=1.0)
    spending.consume([row(10**9, model="claude-of-tomorrow"), row(10**9, model="claude-of-tomorrow")])
    spending.check()
    assert caplog.messages == ["no price is known of 'claude-of-tomorrow': budgets in USD do not count it"]


def test_the_user_is_warned_once_before_the_budget_is_used_up(make: Make, caplog: pytest.LogCaptureFixture):
    spending = make(budget_day_tokens=1000)
    spending.consume([row(799)])
    assert caplog.messages == []
    spending.consume([row(1)])
    spending.consume([row(1)])
    assert len(caplog.messages) == 1
    assert caplog.messages[0].startswith("800 tokens of the 1,000 tokens that `budget_day_tokens` allows are used")


async def test_what_was_spent_before_a_restart_counts(make: Make, tmp_path: Path):
    store = Store(tmp_path / "data" / "a.sqlite3")
    await store.usage.add([row(10), row(200, NOON - 5 * DAY), row(5000, NOON - 25 * DAY)])
    spending = make(UsageMeter(store.usage), budget_day_tokens=1000, budget_month_tokens=1000)
    await spending.load()
    assert [each.spent for each in spending.budgets()] == [10, 210]
    await store.close()


async def test_without_a_ledger_budgets_count_from_the_start(make: Make, caplog: pytest.LogCaptureFixture):
    spending = make(budget_day_usd=1.0)
    await spending.load()
    assert caplog.messages == ["budgets count from the start of this process: the setting `usage` is off"]


async def test_a_ledger_that_cannot_be_read_does_not_prevent_the_start(make: Make, caplog: pytest.LogCaptureFixture):
    class Broken:
        async def add(self, rows: Sequence[UsageRow]) -> None:
            raise NotImplementedError

        async def read(self, work: Work[T]) -> T:
            await asyncio.sleep(0)
            raise StoreError("locked")

    spending = make(UsageMeter(Broken()), budget_day_tokens=1)
    await spending.load()
    assert caplog.messages == ["budgets count from the start of this process: locked"]


OUTSIDE = {**PLAN, f"{UNIFIED}-overage-in-use": "true", f"{UNIFIED}-reset": f"{NOON + 3600:.0f}"}


def test_the_billing_guard_warns_once_while_upstream_bills_extra_usage(make: Make, caplog: pytest.LogCaptureFixture):
    spending = make()
    for headers in (PLAN, OUTSIDE, OUTSIDE, PLAN, OUTSIDE):
        spending.see(headers, None, succeeded=True)
        spending.check()
    assert [message.split(";")[0] for message in caplog.messages] == [
        "upstream bills requests outside of the plan (extra usage)"
    ] * 2


def test_the_billing_guard_stops_until_the_plans_window_resets(make: Make, clock: Clock):
    spending = make(billing_guard="stop")
    spending.see(OUTSIDE, None, succeeded=True)
    with pytest.raises(QuotaSpent) as caught:
        spending.check()
    assert "it resets" not in caught.value.message
    assert "resets at 2026-11-20 13:00" in caught.value.message
    clock.now += 3600
    spending.check()
    assert spending.limits.extra_usage_until is None


def test_the_billing_guard_can_be_off(make: Make, caplog: pytest.LogCaptureFixture):
    spending = make(billing_guard="off")
    spending.see(OUTSIDE, None, succeeded=True)
    spending.check()
    assert caplog.messages == []


def test_the_billing_guard_follows_a_change_of_the_setting(clock: Clock):
    settings: list[Config] = [load({}, {})]
    spending = Spending(lambda: settings[0], UsageMeter(), clock=clock)
    spending.see(OUTSIDE, None, succeeded=True)
    spending.check()
    settings[0] = dataclasses.replace(settings[0], billing_guard="stop")
    with pytest.raises(QuotaSpent):
        spending.check()


@pytest.mark.parametrize("path", ["/openai/v1/chat/completions", "/openai/v1/responses", "/v1/messages"])
async def test_every_dialect_is_refused_at_the_budget_and_after_a_restart(path: str, tmp_path: Path):
    body = {"model": ASK["model"], "input": "Hello"} if path.endswith("responses") else ASK
    file, headers = tmp_path / "data" / "a.sqlite3", {"anthropic-version": "2023-06-01"} if "messages" in path else {}
    async with aiohttp.ClientSession(headers=headers) as client:
        async with daemon(store_file=file, budget_day_tokens=1) as proxy:
            async with client.post(proxy.url + path, json=body) as reply:
                assert reply.status == 200
            async with client.post(proxy.url + path, json=body) as reply:
                assert reply.status == 429
                assert "budget_day_tokens" in await reply.text()
            assert len(proxy.bodies) == 1
            async with client.get(f"{proxy.url}/status") as reply:
                (budget,) = (await reply.json())["usage"]["budgets"]
                assert budget["spent"] >= budget["limit"] == 1
        async with (
            daemon(store_file=file, budget_day_tokens=1) as proxy,
            client.post(proxy.url + path, json=body) as reply,
        ):
            assert reply.status == 429
