"""GET /metrics: figures since the start of the process, in the text format of Prometheus.

The figures are added up from batches of usage rows, so a request pays nothing here. Names that clients choose are no
labels: a model has a label of its own only after it has answered, and only so many have one.
"""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from typing import TYPE_CHECKING

from aiohttp import web

from claude_proxy.server.state import STATE
from claude_proxy.store.usage import CLIENT_LEFT, UsageRow

if TYPE_CHECKING:
    from prometheus_client import Metric

MAX_MODELS = 64
_KINDS = ("input", "cache_read", "cache_write", "output")
_NOTHING = (None, None, None, None)
UNKNOWN, OTHERS = "unknown", "others"
SECONDS = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0)


@dataclass
class Histogram:
    """Counts of values by upper bound; the last count is of those above all bounds."""

    counts: list[int] = field(default_factory=lambda: [0] * (len(SECONDS) + 1))
    total: float = 0.0

    def observe(self, value: float) -> None:
        self.counts[bisect_left(SECONDS, value)] += 1
        self.total += value

    def buckets(self) -> list[tuple[str, float]]:
        bounds = [*map(str, SECONDS), "+Inf"]
        return list(zip(bounds, map(float, accumulate(self.counts)), strict=True))


class Metrics:
    """Adds up usage rows."""

    def __init__(self) -> None:
        self.requests: dict[tuple[str, str, int | None], int] = {}  # by dialect, model and status
        self.tokens: dict[str, list[int | None]] = {}  # by model: of each kind, where one is known
        self.duration = Histogram()
        self.first_token = Histogram()

    def consume(self, rows: Sequence[UsageRow]) -> None:
        for row in rows:
            counts = (row.input_tokens, row.cache_read_tokens, row.cache_write_tokens, row.output_tokens)
            model = self._label(row.model, answered=counts != _NOTHING)
            key = row.dialect, model, row.status
            self.requests[key] = self.requests.get(key, 0) + 1
            if counts != _NOTHING:
                sums = self.tokens[model]
                for kind, count in enumerate(counts):
                    if count is not None:
                        sums[kind] = count + (sums[kind] or 0)
            self.duration.observe(row.duration)
            if row.first_token is not None:
                self.first_token.observe(row.first_token)

    def _label(self, model: str | None, *, answered: bool) -> str:
        """The label of a model, which has a place for its sums if it has answered."""
        if model in self.tokens:
            return model
        label = UNKNOWN if model is None else model
        if model is not None and not (answered and len(self.tokens) < MAX_MODELS):
            label = OTHERS
        if answered:
            self.tokens.setdefault(label, list(_NOTHING))
        return label

    def text(self, open_requests: int) -> bytes:
        # Imported with the first scrape: it takes a tenth of a second and more, and most daemons are never scraped.
        from prometheus_client import CollectorRegistry, generate_latest  # noqa: PLC0415

        registry = CollectorRegistry()
        registry.register(_Collector(self, open_requests))
        return generate_latest(registry)


class _Collector:
    """What prometheus-client asks for the figures."""

    def __init__(self, metrics: Metrics, open_requests: int) -> None:
        self._metrics = metrics
        self._open = open_requests

    def collect(self) -> "Iterator[Metric]":
        from prometheus_client import core  # noqa: PLC0415 - see above

        metrics = self._metrics
        requests = core.CounterMetricFamily(
            "claude_proxy_requests", "Requests to a model that have ended.", labels=("dialect", "model", "status")
        )
        for (dialect, model, status), number in metrics.requests.items():
            requests.add_metric((dialect, model, CLIENT_LEFT if status is None else str(status)), number)
        yield requests
        tokens = core.CounterMetricFamily(
            "claude_proxy_tokens", "Tokens that upstream has counted.", labels=("kind", "model")
        )
        for model, counts in metrics.tokens.items():
            for kind, count in zip(_KINDS, counts, strict=True):
                if count is not None:
                    tokens.add_metric((kind, model), count)
        yield tokens
        for name, text, histogram in (
            ("request_duration", "Time from a request to the end of its reply.", metrics.duration),
            ("first_token", "Time from a request to the first byte of its reply.", metrics.first_token),
        ):
            family = core.HistogramMetricFamily(f"claude_proxy_{name}_seconds", text)
            family.add_metric((), histogram.buckets(), histogram.total)
            yield family
        yield core.GaugeMetricFamily("claude_proxy_open_requests", "Requests that are running.", self._open)


METRICS = web.AppKey("metrics", Metrics)


async def metrics(request: web.Request) -> web.Response:
    state = request.app[STATE]
    state.meter.flush()
    text = request.app[METRICS].text(state.open_requests())
    return web.Response(
        body=text, headers={"Content-Type": "text/plain; version=0.0.4; charset=utf-8", "Cache-Control": "no-store"}
    )
