import pytest

from claude_proxy.upstream.retry import MAX_DELAY, backoff, budget, client_retries, delay_after


@pytest.mark.parametrize(
    ("tried", "left"), [("0", 2), ("1", 1), ("7", 0), ("9" * 5000, 0), ("", 2), ("x", 2), ("1x", 2), ("-1", 2)]
)
def test_the_clients_own_retries_count(tried: str, left: int) -> None:
    assert budget(2, client_retries({"X-Stainless-Retry-Count": tried})) == left


def test_a_client_without_the_header_has_not_retried() -> None:
    assert client_retries({}) == 0


def test_the_number_of_retries_has_a_bound() -> None:
    assert budget(1_000_000, 0) == 4
    assert budget(1_000_000, 3) == 1


def test_delays_grow_to_a_bound() -> None:
    assert [backoff(attempt) for attempt in range(6)] == [0.5, 1, 2, 4, 8, 8]


@pytest.mark.parametrize("status", [200, 302, 400, 401, 403, 404, 408, 413, 500, 502, 504])
def test_what_would_fail_again_is_not_tried_again(status: int) -> None:
    assert delay_after(status, {"retry-after": "1"}, 0) is None


@pytest.mark.parametrize("status", [503, 529])
def test_a_busy_upstream_is_tried_again(status: int) -> None:
    assert delay_after(status, {}, 0) == 0.5
    assert delay_after(status, {"retry-after": "3"}, 0) == 3
    assert delay_after(status, {"retry-after-ms": "250", "retry-after": "3"}, 0) == 0.25
    assert delay_after(status, {"retry-after": "Wed, 21 Oct 2026 07:28:00 GMT"}, 1) == 1


def test_a_rate_limit_is_waited_for_only_when_it_says_how_long_and_that_is_short() -> None:
    assert delay_after(429, {}, 0) is None
    assert delay_after(429, {"retry-after": "2"}, 0) == 2
    assert delay_after(429, {"retry-after": str(MAX_DELAY + 1)}, 0) is None


def test_upstreams_word_comes_first() -> None:
    assert delay_after(529, {"x-should-retry": "false", "retry-after": "1"}, 0) is None
