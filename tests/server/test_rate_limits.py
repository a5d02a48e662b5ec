import pytest

from claude_proxy.server.rate_limits import MAX_MODELS, UNKNOWN_RESET, RateLimits

NOW = 1_795_000_000.0
UNIFIED = "anthropic-ratelimit-unified"
PLAN = {
    f"{UNIFIED}-status": "allowed_warning",
    f"{UNIFIED}-reset": f"{NOW + 3600:.0f}",
    f"{UNIFIED}-representative-claim": "five_hour",
    f"{UNIFIED}-5h-status": "allowed_warning",
    f"{UNIFIED}-5h-utilization": "0.93",
    f"{UNIFIED}-5h-reset": f"{NOW + 3600:.0f}",
    f"{UNIFIED}-7d-status": "allowed",
    f"{UNIFIED}-7d-utilization": "0.3",
    f"{UNIFIED}-7d_opus-utilization": "0.5",
    f"{UNIFIED}-overage-status": "rejected",
    f"{UNIFIED}-overage-in-use": "false",
}
KEY = {
    "anthropic-ratelimit-requests-limit": "4000",
    "anthropic-ratelimit-requests-remaining": "3999",
    "anthropic-ratelimit-requests-reset": "2026-11-20T12:00:00Z",
    "anthropic-ratelimit-input-tokens-limit": "2000000",
}


class Clock:
    now = NOW

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_the_windows_of_a_plan_are_reported_with_their_age(clock: Clock):
    limits = RateLimits(clock)
    limits.see(PLAN, "claude-opus-5", succeeded=True)
    clock.now += 60
    assert limits.report() == {
        "plan": {
            "at": NOW,
            "age": 60.0,
            "status": "allowed_warning",
            "reset": NOW + 3600,
            "window": "five_hour",
            "windows": {
                "5h": {"status": "allowed_warning", "utilization": 0.93, "reset": NOW + 3600},
                "7d": {"status": "allowed", "utilization": 0.3},
                "7d_opus": {"utilization": 0.5},
            },
            "extra_usage": {"status": "rejected", "in_use": False, "reset": None},
        },
        "keys": [],
    }


def test_the_limits_of_a_key_are_reported_for_each_model(clock: Clock):
    limits = RateLimits(clock)
    limits.see(KEY, "claude-opus-5", succeeded=True)
    limits.see({**KEY, "anthropic-ratelimit-requests-remaining": "1"}, "claude-sonnet-5", succeeded=True)
    assert limits.report() == {
        "plan": None,
        "keys": [
            {
                "model": model,
                "at": NOW,
                "age": 0.0,
                "requests": {"limit": 4000.0, "remaining": left, "reset": 1795176000.0},
                "input_tokens": {"limit": 2_000_000.0, "remaining": None, "reset": None},
            }
            for model, left in (("claude-opus-5", 3999.0), ("claude-sonnet-5", 1.0))
        ],
    }


def test_a_reply_without_limits_changes_nothing(clock: Clock):
    limits = RateLimits(clock)
    limits.see(PLAN, None, succeeded=True)
    before = limits.report()
    limits.see({"retry-after": "5"}, None, succeeded=False)
    assert limits.report() == before


def test_models_are_bounded(clock: Clock):
    limits = RateLimits(clock)
    for number in range(MAX_MODELS + 5):
        limits.see(KEY, f"model-{number}", succeeded=True)
    assert len(limits.report()["keys"]) == MAX_MODELS  # type: ignore[arg-type]


@pytest.mark.parametrize("value", ["", "soon", "-1", "1e999", "nan", "9" * 400])
def test_a_value_that_cannot_be_read_is_absent(clock: Clock, value: str):
    limits = RateLimits(clock)
    limits.see({**PLAN, f"{UNIFIED}-reset": value, f"{UNIFIED}-5h-utilization": value}, None, succeeded=True)
    plan = limits.report()["plan"]
    assert isinstance(plan, dict)
    assert (plan["reset"], plan["windows"]["5h"]["utilization"]) == (None, None)


@pytest.mark.parametrize(
    ("headers", "succeeded", "billed"),
    [
        ({f"{UNIFIED}-overage-in-use": "true"}, True, True),
        ({f"{UNIFIED}-overage-in-use": "false", f"{UNIFIED}-status": "rejected"}, True, False),
        ({f"{UNIFIED}-status": "rejected", f"{UNIFIED}-overage-status": "allowed"}, True, True),
        ({f"{UNIFIED}-status": "rejected", f"{UNIFIED}-overage-status": "allowed"}, False, False),
        ({f"{UNIFIED}-status": "rejected", f"{UNIFIED}-overage-status": "rejected"}, True, False),
        ({f"{UNIFIED}-status": "allowed", f"{UNIFIED}-overage-status": "allowed"}, True, False),
        ({}, True, False),
    ],
)
def test_extra_usage_is_told_by_upstream(clock: Clock, headers: dict[str, str], succeeded: bool, billed: bool):
    limits = RateLimits(clock)
    base = {name: value for name, value in PLAN.items() if "overage" not in name}
    limits.see({**base, **headers}, None, succeeded=succeeded)
    assert limits.extra_usage_until == (NOW + 3600 if billed else None)


@pytest.mark.parametrize("reset", ["", "1"])
def test_extra_usage_without_a_reset_to_come_is_assumed_for_a_while(clock: Clock, reset: str):
    limits = RateLimits(clock)
    headers = {**PLAN, f"{UNIFIED}-overage-in-use": "true", f"{UNIFIED}-reset": reset}
    limits.see(headers, None, succeeded=True)
    assert limits.extra_usage_until == NOW + UNKNOWN_RESET


def test_extra_usage_ends_when_upstream_says_so(clock: Clock):
    limits = RateLimits(clock)
    limits.see({**PLAN, f"{UNIFIED}-overage-in-use": "true"}, None, succeeded=True)
    limits.see(PLAN, None, succeeded=True)
    assert limits.extra_usage_until is None
