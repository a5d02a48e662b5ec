import asyncio
import subprocess
import sys
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind

from claude_proxy.config import load
from claude_proxy.errors import ConfigError
from claude_proxy.server import telemetry
from claude_proxy.server.telemetry import Telemetry
from claude_proxy.store.usage import UsageRow
from tests.store.conftest import NOW
from tests.store.test_usage import row
from tests.support.daemon import daemon, listening


def exported(*rows: UsageRow) -> tuple[list[ReadableSpan], dict[str, list[Any]]]:
    """The spans, and the data points of each metric, that these rows give."""
    spans, reader = InMemorySpanExporter(), InMemoryMetricReader()
    tracers = TracerProvider(shutdown_on_exit=False)
    tracers.add_span_processor(SimpleSpanProcessor(spans))
    sender = Telemetry(tracers, MeterProvider([reader], shutdown_on_exit=False))
    sender.consume(rows)
    data = reader.get_metrics_data()
    assert data is not None
    points: dict[str, list[Any]] = {
        metric.name: list(metric.data.data_points)
        for resource in data.resource_metrics
        for scope in resource.scope_metrics
        for metric in scope.metrics
    }
    sender.close()
    return list(spans.get_finished_spans()), points


def test_a_request_is_a_span_with_its_own_times():
    (span,), _ = exported(row())
    assert (span.name, span.kind) == ("chat claude-sonnet-5", SpanKind.CLIENT)
    assert (span.start_time, span.end_time) == (NOW * 10**9, (NOW + 1.5) * 10**9)
    assert span.status.is_unset
    assert dict(span.attributes or {}) == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "anthropic",
        "gen_ai.request.model": "claude-sonnet-5",
        "gen_ai.usage.input_tokens": 3210,
        "gen_ai.usage.cache_read.input_tokens": 200,
        "gen_ai.usage.cache_creation.input_tokens": 3000,
        "gen_ai.usage.output_tokens": 40000,
        "http.response.status_code": 200,
        "claude_proxy.client": "curl",
        "claude_proxy.dialect": "chat",
        "claude_proxy.backend": "anthropic",
    }


def test_an_error_is_known_by_its_code_and_what_is_unknown_is_absent():
    unknown = dict.fromkeys(("input_tokens", "cache_read_tokens", "cache_write_tokens", "output_tokens", "model"))
    failed = row(0, error="rate_limit_exceeded", status=None, first_token=None, choices=2, **unknown)
    (span,), points = exported(failed)
    assert span.name == "chat"
    assert not span.status.is_ok
    attributes = dict(span.attributes or {})
    assert (attributes["error.type"], attributes["gen_ai.request.choice.count"]) == ("rate_limit_exceeded", 2)
    assert not [name for name in attributes if "usage" in name or "status_code" in name]
    assert list(points) == ["gen_ai.client.operation.duration"]


def test_durations_and_tokens_are_measured():
    _, points = exported(row(), row())
    assert [point.sum for point in points["gen_ai.client.operation.duration"]] == [3.0]
    assert [point.sum for point in points["gen_ai.client.operation.time_to_first_chunk"]] == [1.0]
    tokens = {point.attributes["gen_ai.token.type"]: point.sum for point in points["gen_ai.client.token.usage"]}
    assert tokens == {"input": 6420, "output": 80000}


async def test_what_is_sent_holds_no_content(monkeypatch: pytest.MonkeyPatch):
    received: dict[str, bytes] = {}

    async def collect(request: web.Request) -> web.Response:
        received[request.path] = received.get(request.path, b"") + await request.read()
        return web.Response()

    collector = web.Application()
    collector.router.add_post("/v1/{signal}", collect)
    body = {"model": "claude-sonnet-4-5", "messages": [{"role": "user", "content": "/simulate text secretanswer"}]}
    async with listening(collector) as url:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", url)
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        async with (
            daemon(otel=True) as proxy,
            aiohttp.ClientSession() as client,
            client.post(f"{proxy.openai}/chat/completions", json=body) as reply,
        ):
            assert "secretanswer" in await reply.text()
    assert set(received) == {"/v1/traces", "/v1/metrics"}
    assert b"gen_ai.usage.output_tokens" in received["/v1/traces"]
    assert b"gen_ai.client.token.usage" in received["/v1/metrics"]
    assert not [each for each in received.values() if b"secretanswer" in each or b"simulate" in each]


async def test_it_is_off_by_default_and_then_not_imported():
    assert load({}, {}).otel is False
    program = "import sys, claude_proxy.server.run, claude_proxy.server.app; print('opentelemetry' in sys.modules)"
    done = await asyncio.to_thread(
        subprocess.run, [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout == "False\n"


def test_without_the_sdk_the_setting_is_refused_with_what_to_install(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace", None)
    with pytest.raises(ConfigError) as caught:
        telemetry.telemetry()
    assert "claude-proxy[otel]" in (caught.value.hint or "")
