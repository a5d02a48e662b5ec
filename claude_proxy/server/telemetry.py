"""OpenTelemetry: a span and three measurements for each request, by the semantic conventions for generative AI.

Off by default, and not imported then. It sends figures and names to the collector that the `OTEL_*` variables name
(http://localhost:4318 without one), and never a prompt, an answer or an error's message. The SDK sends from threads of
its own; the spans are made from batches of usage rows, so a request pays nothing here.
"""

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING

from claude_proxy import __version__
from claude_proxy.errors import ConfigError
from claude_proxy.store.usage import UsageRow

if TYPE_CHECKING:
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.trace import TracerProvider

log = logging.getLogger(__name__)

Attributes = dict[str, str | int | float | bool]

CLOSE_TIMEOUT = 5.0

_NANOSECONDS = 1_000_000_000
# The boundaries that the semantic conventions advise.
_SECONDS = (0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92)
_TOKENS = tuple(4**power for power in range(14))


class Telemetry:
    """Makes spans and measurements of usage rows. `close` blocks while the rest is sent."""

    def __init__(self, tracers: "TracerProvider", meters: "MeterProvider") -> None:
        self._tracers = tracers
        self._meters = meters
        self._tracer = tracers.get_tracer("claude_proxy", __version__)
        meter = meters.get_meter("claude_proxy", __version__)
        self._duration = meter.create_histogram(
            "gen_ai.client.operation.duration", "s", explicit_bucket_boundaries_advisory=_SECONDS
        )
        self._first = meter.create_histogram(
            "gen_ai.client.operation.time_to_first_chunk", "s", explicit_bucket_boundaries_advisory=_SECONDS
        )
        self._tokens = meter.create_histogram(
            "gen_ai.client.token.usage", "{token}", explicit_bucket_boundaries_advisory=_TOKENS
        )

    def consume(self, rows: Sequence[UsageRow]) -> None:
        for row in rows:
            common = _common(row)
            self._add_span(row, common)
            self._duration.record(row.duration, common)
            if row.first_token is not None:
                self._first.record(row.first_token, common)
            for kind, count in (("input", row.prompt_tokens), ("output", row.output_tokens)):
                if count is not None:
                    self._tokens.record(count, {**common, "gen_ai.token.type": kind})

    def _add_span(self, row: UsageRow, common: Attributes) -> None:
        from opentelemetry.trace import SpanKind, Status, StatusCode  # noqa: PLC0415 - only where it is enabled

        span = self._tracer.start_span(
            f"chat {row.model}" if row.model else "chat",
            kind=SpanKind.CLIENT,
            attributes={**common, **_details(row)},
            start_time=round(row.time * _NANOSECONDS),
        )
        if row.error is not None:
            span.set_status(Status(StatusCode.ERROR))
        span.end(round((row.time + row.duration) * _NANOSECONDS))

    def close(self) -> None:
        self._tracers.shutdown()
        self._meters.shutdown()


def _common(row: UsageRow) -> Attributes:
    """The attributes of both the span and the measurements."""
    known: dict[str, str | None] = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "anthropic",
        "gen_ai.request.model": row.model,
        "error.type": row.error,
    }
    return {name: value for name, value in known.items() if value is not None}


def _details(row: UsageRow) -> Attributes:
    known: dict[str, str | int | None] = {
        "gen_ai.request.choice.count": row.choices if row.choices > 1 else None,
        "gen_ai.usage.input_tokens": row.prompt_tokens,  # with those of the cache, as the conventions define it
        "gen_ai.usage.cache_read.input_tokens": row.cache_read_tokens,
        "gen_ai.usage.cache_creation.input_tokens": row.cache_write_tokens,
        "gen_ai.usage.output_tokens": row.output_tokens,
        "http.response.status_code": row.status,
        "claude_proxy.client": row.client,
        "claude_proxy.dialect": row.dialect,
        "claude_proxy.backend": row.backend,
    }
    return {name: value for name, value in known.items() if value is not None}


def telemetry() -> Telemetry:
    """Telemetry that is sent as the `OTEL_*` variables say. Raises ConfigError if the SDK is not installed."""
    try:
        from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter  # noqa: PLC0415
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415
        from opentelemetry.sdk.metrics import MeterProvider  # noqa: PLC0415
        from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader  # noqa: PLC0415
        from opentelemetry.sdk.resources import Resource  # noqa: PLC0415
        from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
        from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415
    except ImportError as exc:
        raise ConfigError(
            "`otel` needs the OpenTelemetry SDK", hint='install it with `pip install "claude-proxy[otel]"`'
        ) from exc
    resource = Resource.create({"service.name": "claude-proxy", "service.version": __version__})
    # Without their own hooks for the end of the process: the server closes them.
    tracers = TracerProvider(resource=resource, shutdown_on_exit=False)
    tracers.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    reader = PeriodicExportingMetricReader(OTLPMetricExporter())
    return Telemetry(tracers, MeterProvider([reader], resource=resource, shutdown_on_exit=False))
