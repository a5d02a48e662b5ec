import random
import subprocess
import sys
from datetime import UTC, datetime

import genai_prices
import pytest
from msgspec import Struct

from claude_proxy import prices

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC).timestamp()


class Used(Struct):
    time: float = NOON
    model: str | None = "claude-sonnet-4-5"
    speed: str | None = None
    input_tokens: int | None = None
    cache_read_tokens: int | None = None
    cache_write_tokens: int | None = None
    cache_write_1h_tokens: int | None = None
    output_tokens: int | None = None
    web_searches: int | None = None
    upstream_requests: int = 1


def by_the_library(used: Used) -> float:
    uncached, read, written = used.input_tokens or 0, used.cache_read_tokens or 0, used.cache_write_tokens or 0
    usage = genai_prices.Usage(
        input_tokens=uncached + read + written,
        cache_read_tokens=read,
        cache_write_tokens=written,
        cache_write_1h_tokens=used.cache_write_1h_tokens or 0,
        output_tokens=used.output_tokens or 0,
        web_searches=used.web_searches or 0,
    )
    found = genai_prices.calc_price(
        usage,
        used.model or "",
        provider_id="anthropic",
        genai_request_timestamp=datetime.fromtimestamp(used.time, UTC),
        price_context={"speed": "fast"} if used.speed == "fast" else None,
    )
    return float(found.total_price)


MODELS = ("claude-sonnet-4-5", "claude-haiku-5-5", "claude-opus-5-5", "claude-opus-4-1-20250805", "claude-sonnet-4-6")


@pytest.mark.parametrize("seed", range(100))
def test_a_cost_is_what_the_library_says_for_each_request(seed: int):
    chance = random.Random(seed)
    counts = [chance.choice((0, chance.randrange(1000), chance.randrange(300_000))) for _ in range(5)]
    used = Used(NOON - chance.randrange(400) * 86400, chance.choice(MODELS))
    used.input_tokens, used.cache_read_tokens, used.cache_write_tokens = counts[:3]
    used.output_tokens, used.web_searches = counts[3:]
    used.cache_write_1h_tokens = chance.randrange((used.cache_write_tokens or 0) + 1)
    assert prices.cost(used) == pytest.approx(by_the_library(used), abs=1e-12)


@pytest.mark.parametrize(("prompt", "dollars"), [(200_000, 0.6), (200_001, 1.200006)])
def test_a_long_prompt_has_its_own_price(prompt: int, dollars: float):
    assert prices.cost(Used(input_tokens=prompt)) == pytest.approx(dollars)


def test_of_several_requests_each_has_its_own_prompt():
    assert prices.cost(Used(input_tokens=400_000, upstream_requests=2)) == pytest.approx(1.2)


def test_fast_mode_has_its_own_price():
    used = Used(model="claude-opus-5-5", input_tokens=1_000_000, speed="fast")
    assert prices.cost(used) == pytest.approx(by_the_library(used)) == 8.0


@pytest.mark.parametrize(
    "used",
    [
        Used(model="claude-of-tomorrow", input_tokens=1),
        Used(model="gpt-4o", input_tokens=1),
        Used(model=None, input_tokens=1),
        Used(model="claude-sonnet-4-5", input_tokens=1, speed="fast"),  # it has no fast mode
    ],
)
def test_a_price_that_is_not_known_is_no_number(used: Used):
    assert prices.cost(used) is None


@pytest.mark.parametrize("used", [Used(), Used(model="claude-of-tomorrow"), Used(model=None, input_tokens=0)])
def test_what_has_used_nothing_costs_nothing(used: Used):
    assert prices.cost(used) == 0.0


def test_the_source_names_the_library_and_a_date():
    assert prices.source().library == f"genai-prices {genai_prices.__version__}"
    assert datetime.fromisoformat(prices.source().newest_change).year >= 2026


def test_prices_need_no_network_and_importing_this_module_does_not_load_the_library():
    program = """
import socket, sys
from claude_proxy import prices
assert "genai_prices" not in sys.modules
def refuse(*_): raise AssertionError("a connection was opened")
socket.socket.connect = socket.create_connection = socket.getaddrinfo = refuse
class Used:
    time, model, speed, upstream_requests = 1795000000.0, "claude-opus-5-5", None, 1
    input_tokens, cache_read_tokens, cache_write_tokens, cache_write_1h_tokens = 1000000, None, None, None
    output_tokens = web_searches = None
print(prices.cost(Used()), prices.source().library)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.startswith("4.0 genai-prices ")
