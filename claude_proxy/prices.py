"""List prices of Claude's models, from the `genai-prices` library, without a network.

The library is imported with the first price, because that takes half a second and some 25 MB.
"""

import functools
from datetime import UTC, datetime
from typing import Any, Protocol

from msgspec import Struct

_PROVIDER = "anthropic"
_MILLION = 1_000_000
_DAY = 86400

# The kinds of what is counted, with the library's name and unit for each.
_KINDS = {
    "input": ("input_mtok", _MILLION),
    "cache_read": ("cache_read_mtok", _MILLION),
    "cache_write": ("cache_write_mtok", _MILLION),
    "cache_write_1h": ("cache_write_1h_mtok", _MILLION),
    "output": ("output_mtok", _MILLION),
    "web_search": ("web_searches_kcount", 1000),
}


class Used(Protocol):
    """What one request has used: counts of the whole request, None where one is not known. `time` is epoch seconds."""

    @property
    def time(self) -> float: ...
    @property
    def model(self) -> str | None: ...
    @property
    def speed(self) -> str | None: ...
    @property
    def input_tokens(self) -> int | None: ...
    @property
    def cache_read_tokens(self) -> int | None: ...
    @property
    def cache_write_tokens(self) -> int | None: ...
    @property
    def cache_write_1h_tokens(self) -> int | None: ...
    @property
    def output_tokens(self) -> int | None: ...
    @property
    def web_searches(self) -> int | None: ...
    @property
    def upstream_requests(self) -> int: ...


class Source(Struct, frozen=True):
    """Where prices come from, and the newest date (YYYY-MM-DD) of a price change that the source knows."""

    library: str
    newest_change: str


class _Rates(Struct, frozen=True):
    """US dollars for one of each kind, in the order of _KINDS, for prompts of more than `above` tokens."""

    above: int
    dollars: tuple[float | None, ...]


def cost(used: Used) -> float | None:
    """The list price of a request in US dollars, as of its day; None where a price is not known.

    Counts that are not known are left out.
    """
    read, written, long = used.cache_read_tokens or 0, used.cache_write_tokens or 0, used.cache_write_1h_tokens or 0
    uncached = used.input_tokens or 0
    long = min(long, written)
    counts = (uncached, read, written - long, long, used.output_tokens or 0, used.web_searches or 0)
    if not any(counts):
        return 0.0
    if used.model is None:
        return None
    # A long prompt may have prices of its own; of several requests each has its own prompt.
    prompt = (uncached + read + written) / max(1, used.upstream_requests)
    rates = next((each for each in _rates(used.model, int(used.time // _DAY), used.speed) if prompt > each.above), None)
    if rates is None:
        return None
    total = 0.0
    for count, dollars in zip(counts, rates.dollars, strict=True):
        if count:
            if dollars is None:
                return None
            total += count * dollars
    return total


@functools.lru_cache(maxsize=1024)
def _rates(model: str, day: int, speed: str | None) -> tuple[_Rates, ...]:
    """The rates of a model on a day, those for the longest prompts first; none if its price is not known."""
    from genai_prices import Usage, calc_price  # noqa: PLC0415 - see above

    context = {"speed": speed} if speed == "fast" else None
    try:
        found = calc_price(
            Usage(input_tokens=0),
            model,
            provider_id=_PROVIDER,
            genai_request_timestamp=datetime.fromtimestamp(day * _DAY + _DAY // 2, UTC),
            price_context=context,
        )
    except LookupError:
        return ()
    if context and not any(variant.when == context for variant in found.model.price_variants or ()):
        return ()  # the library would answer with the price of the standard speed
    prices = vars(found.model_price)
    starts = {0} | {tier.start for price in prices.values() for tier in getattr(price, "tiers", ())}
    return tuple(
        _Rates(start or -1, tuple(_dollars(prices.get(name), start, unit) for name, unit in _KINDS.values()))
        for start in sorted(starts, reverse=True)
    )


def _dollars(price: Any, start: int, unit: int) -> float | None:
    """The price of one, for prompts of more than `start` tokens. `price` is the library's: a number, or one by tier."""
    if price is None:
        return None
    for tier in reversed(getattr(price, "tiers", ())):
        if start >= tier.start:
            return float(tier.price) / unit
    return float(getattr(price, "base", price)) / unit


@functools.cache
def source() -> Source:
    import genai_prices  # noqa: PLC0415 - see above
    from genai_prices.data import providers  # noqa: PLC0415

    models = [model for provider in providers if provider.id == _PROVIDER for model in provider.models]
    conditional = [
        each
        for model in models
        for each in [*(model.prices if isinstance(model.prices, list) else ()), *(model.price_variants or ())]
    ]
    starts = [start for each in conditional if (start := getattr(each.constraint, "start_date", None)) is not None]
    return Source(f"genai-prices {genai_prices.__version__}", str(max(starts)) if starts else "unknown")
