import aiohttp
from prometheus_client.parser import text_string_to_metric_families

from claude_proxy.server.metrics import MAX_MODELS, Metrics
from tests.store.test_usage import row
from tests.support.daemon import daemon

ASK = {"model": "claude-sonnet-4-5", "max_tokens": 100, "messages": [{"role": "user", "content": "Hello"}]}


def samples(text: str) -> dict[tuple[str, ...], float]:
    """Every sample by its name and its labels' values."""
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def read(metrics: Metrics, open_requests: int = 0) -> dict[tuple[str, ...], float]:
    return samples(metrics.text(open_requests).decode())


def test_requests_and_tokens_are_counted_by_their_labels():
    metrics = Metrics()
    metrics.consume([row(), row(), row(dialect="messages", status=429, error="rate_limit_exceeded")])
    found = read(metrics)
    assert found["claude_proxy_requests_total", "chat", "claude-sonnet-5", "200"] == 2
    assert found["claude_proxy_requests_total", "messages", "claude-sonnet-5", "429"] == 1
    kinds = ("input", "cache_read", "cache_write", "output")
    assert [found["claude_proxy_tokens_total", kind, "claude-sonnet-5"] for kind in kinds] == [30, 600, 9000, 120000]


def test_durations_are_histograms_whose_buckets_are_cumulative():
    metrics = Metrics()
    metrics.consume([row(duration=seconds, first_token=None) for seconds in (0.1, 0.2, 7.0, 1000.0)])
    found = read(metrics)
    name = "claude_proxy_request_duration_seconds"
    bounds = ("0.1", "0.25", "5.0", "10.0", "600.0", "+Inf")
    assert [found[f"{name}_bucket", bound] for bound in bounds] == [1, 2, 2, 3, 3, 4]
    assert (found[f"{name}_count",], found[f"{name}_sum",]) == (4, 1007.3)
    assert found["claude_proxy_first_token_seconds_count",] == 0


def test_what_is_not_known_is_not_counted():
    metrics = Metrics()
    unknown = dict.fromkeys(("input_tokens", "cache_read_tokens", "cache_write_tokens", "output_tokens"))
    metrics.consume([row(status=None, model=None, error="client_left", **unknown)])  # type: ignore[arg-type]
    found = read(metrics, open_requests=3)
    assert found["claude_proxy_requests_total", "chat", "unknown", "client_left"] == 1
    assert not [key for key in found if key[0] == "claude_proxy_tokens_total"]
    assert found["claude_proxy_open_requests",] == 3


def test_a_name_that_has_never_answered_is_no_label():
    metrics = Metrics()
    unknown = dict.fromkeys(("input_tokens", "cache_read_tokens", "cache_write_tokens", "output_tokens"))
    metrics.consume([row(model=f"made-up-{n}", status=404, **unknown) for n in range(100)])  # type: ignore[arg-type]
    assert read(metrics)["claude_proxy_requests_total", "chat", "others", "404"] == 100


def test_models_have_a_bounded_number_of_labels():
    metrics = Metrics()
    metrics.consume([row(model=f"claude-{number}") for number in range(MAX_MODELS + 10)])
    found = read(metrics)
    assert len([key for key in found if key[0] == "claude_proxy_requests_total"]) == MAX_MODELS + 1
    assert found["claude_proxy_requests_total", "chat", "others", "200"] == 10


async def test_a_scrape_has_the_request_that_has_just_ended_and_does_not_count_itself():
    async with daemon() as proxy, aiohttp.ClientSession() as client:
        async with client.post(f"{proxy.openai}/chat/completions", json=ASK) as reply:
            usage = (await reply.json())["usage"]
        async with client.get(f"{proxy.url}/metrics") as reply:
            assert reply.headers["Content-Type"].startswith("text/plain; version=0.0.4")
            found = samples(await reply.text())
        async with client.get(f"{proxy.url}/status") as reply:
            assert (await reply.json())["requests"] == 1
    (model,) = {key[2] for key in found if key[0] == "claude_proxy_requests_total"}
    assert found["claude_proxy_requests_total", "chat", model, "200"] == 1
    assert found["claude_proxy_tokens_total", "output", model] == usage["completion_tokens"]
    assert found["claude_proxy_open_requests",] == 0
