import json
from typing import Any

import pytest

from claude_proxy.translate.failure import duration, event_failure, openai_headers, refused_thinking, upstream_failure
from claude_proxy.wire.anthropic import ErrorDetail, ErrorDetails

NOW = 1_795_305_600.0


def failed(status: int, type_: str = "x", message: str = "Why", code: str | None = None, **headers: str) -> Any:
    error: dict[str, Any] = {"type": type_, "message": message}
    if code:
        error["details"] = {"error_code": code}
    body = json.dumps({"type": "error", "error": error, "request_id": "req_1"}).encode()
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return upstream_failure(status, named, body, now=NOW)


@pytest.mark.parametrize(
    ("status", "message", "error_code", "expected"),
    [
        (
            400,
            "prompt is too long: 5 tokens > 4 maximum",
            None,
            (400, "invalid_request_error", "context_length_exceeded", "messages"),
        ),
        (
            400,
            "input length and `max_tokens` exceed context limit",
            None,
            (400, "invalid_request_error", "context_length_exceeded", "messages"),
        ),
        (400, "Your credit balance is too low", None, (429, "insufficient_quota", "insufficient_quota", None)),
        (
            400,
            "messages.1.content.0.image: too big",
            "image_dimensions_too_large",
            (400, "invalid_request_error", "invalid_value", "messages.1.content.0.image.image_url"),
        ),
        (400, "Could not process image", None, (400, "invalid_request_error", "invalid_value", "messages.image_url")),
        (400, "messages.2.content.0: bad", None, (400, "invalid_request_error", None, "messages.2.content.0")),
        (400, "max_tokens: 9 > 8", "too_many", (400, "invalid_request_error", "too_many", "max_tokens")),
        (400, "Something else", None, (400, "invalid_request_error", None, None)),
        (401, "invalid x-api-key", None, (401, "authentication_error", "invalid_api_key", None)),
        (402, "Pay", None, (429, "insufficient_quota", "insufficient_quota", None)),
        (403, "No", None, (403, "permission_error", "insufficient_quota", None)),
        (403, "OAuth token has been revoked", "revoked", (403, "permission_error", "revoked", None)),
        (
            403,
            "This credential is only authorized for use with Claude Code",
            None,
            (403, "permission_error", "insufficient_quota", None),
        ),
        (404, "model: claude-x", None, (404, "invalid_request_error", "model_not_found", "model")),
        (404, "Not found", None, (404, "invalid_request_error", "not_found", None)),
        (408, "Slow", "slow", (408, "invalid_request_error", "slow", None)),
        (409, "Conflict", None, (409, "conflict_error", None, None)),
        (413, "Too large", None, (413, "invalid_request_error", "request_too_large", None)),
        (422, "tools.0.name: bad", None, (422, "invalid_request_error", None, "tools.0.name")),
        (429, "Too fast", None, (429, "requests", "rate_limit_exceeded", None)),
        (429, "Spent", "enforced_spend_limit_reached", (429, "insufficient_quota", "insufficient_quota", None)),
        (429, "Ramp", "ramp_limit_exceeded", (429, "requests", "rate_limit_exceeded", None)),
        (500, "Oops", None, (500, "server_error", "internal_server_error", None)),
        (500, "Oops", "database_down", (500, "server_error", "database_down", None)),
        (503, "Away", None, (503, "server_error", "service_unavailable", None)),
        (502, "Gateway", None, (502, "server_error", None, None)),
        (503, "Down", "down", (503, "server_error", "down", None)),
        (504, "Slow", None, (504, "server_error", "timeout", None)),
        (529, "Overloaded", None, (503, "server_error", "server_is_overloaded", None)),
        (302, "Over there", None, (502, "server_error", "upstream_redirect", None)),
        (999, "?", None, (502, "server_error", None, None)),
    ],
)
def test_upstreams_errors_become_openais(status: int, message: str, error_code: str | None, expected: tuple[Any, ...]):
    found = failed(status, message=message, code=error_code)
    assert (found.status, found.type, found.code, found.param) == expected


@pytest.mark.parametrize("body", [b"", b"<html>", b"\xff", b"[]", b'{"error": "text"}'])
def test_an_answer_that_is_no_error_of_the_api_keeps_its_status(body: bytes):
    assert upstream_failure(413, {}, body, now=NOW).status == 413
    found = upstream_failure(502, {}, body, now=NOW)
    assert (found.status, found.message) == (502, "upstream answered 502 Bad Gateway")
    assert upstream_failure(599, {}, body, now=NOW).message == "upstream answered 599 (unknown)"


def test_the_hint_names_the_way_out():
    assert "log in" in failed(401).text
    assert "log in" in failed(403, message="token revoked").text
    assert "API key" in failed(400, message="Third-party apps now draw from extra usage").text
    assert failed(403).hint is None


def test_the_pause_of_a_rate_limit_stands_in_the_message_too():
    found = failed(429, message="Rate limited.", retry_after="12", anthropic_ratelimit_tokens_remaining="0")
    assert found.message == "Rate limited. Please try again in 12s."
    assert (found.type, found.headers["retry-after"]) == ("tokens", "12")
    assert failed(429, message="try again in 3s", retry_after="12").message == "try again in 3s"


def test_an_overflow_is_said_in_openais_words_too():
    found = failed(400, message="prompt is too long: 5 tokens > 4 maximum")
    assert found.message == "This model's maximum context length is 4 tokens. prompt is too long: 5 tokens > 4 maximum"
    assert failed(400, message="Prompt is too long").message == "Prompt is too long"


def test_an_unknown_model_is_said_in_a_sentence():
    found = failed(404, message="model: claude-x")
    assert found.message == "The model `claude-x` does not exist or you do not have access to it."
    assert failed(404, message="Model not found").message == "Model not found"


def test_whether_to_retry_is_said_where_we_know():
    assert failed(529).headers["x-should-retry"] == "true"
    assert failed(529, x_should_retry="false").headers["x-should-retry"] == "false"
    assert failed(402).headers["x-should-retry"] == "false"


@pytest.mark.parametrize(
    ("type_", "status", "code"),
    [
        ("overloaded_error", 503, "server_is_overloaded"),
        ("rate_limit_error", 429, "rate_limit_exceeded"),
        ("api_error", 500, "internal_server_error"),
        ("timeout_error", 504, "timeout"),
        ("invalid_request_error", 400, "odd"),
        ("brand_new_error", 500, "internal_server_error"),
        ("authentication_error", 401, "invalid_api_key"),
        ("permission_error", 403, "insufficient_quota"),
        ("billing_error", 429, "insufficient_quota"),
    ],
)
def test_an_error_event_is_mapped_by_its_type(type_: str, status: int, code: str | None):
    found = event_failure(ErrorDetail(type_, "", ErrorDetails("odd" if code == "odd" else None)))
    assert (found.status, found.code) == (status, code)
    assert found.message


BOUND = "messages.1.content.0: Invalid `signature` in `thinking` block. The block is bound to a different conversation."


@pytest.mark.parametrize(
    "message",
    [
        BOUND,
        "messages.1.content.0: Invalid `data` in `redacted_thinking` block",
        "Expected `thinking` or `redacted_thinking`, but found `tool_use`",
        "messages.1: `thinking` or `redacted_thinking` blocks in the latest assistant message cannot be modified",
        "Thinking may not be enabled when tool_choice forces tool use.",
    ],
)
def test_a_refusal_because_of_thinking_is_recognised_by_its_text(message: str):
    assert refused_thinking(failed(400, message=message))
    assert not refused_thinking(failed(500, message=message))


def test_other_refusals_are_not_taken_for_one_because_of_thinking():
    assert not refused_thinking(failed(400, message="max_tokens: bad"))
    assert not refused_thinking(failed(400, message="tool_choice: unknown tool"))


def test_rate_limits_get_openais_names_and_durations():
    headers = {
        "request-id": "req_1",
        "anthropic-organization-id": "org",
        "retry-after": "3",
        "set-cookie": "no",
        "anthropic-ratelimit-requests-limit": "50",
        "anthropic-ratelimit-requests-remaining": "49",
        "anthropic-ratelimit-requests-reset": "2026-11-22T00:00:06Z",
        "anthropic-ratelimit-input-tokens-limit": "1000",
        "anthropic-ratelimit-input-tokens-reset": "nonsense",
    }
    found = openai_headers(headers, now=NOW)
    assert found["x-request-id"] == "req_1"
    assert found["openai-organization"] == "org"
    assert found["x-ratelimit-limit-requests"] == "50"
    assert found["x-ratelimit-remaining-requests"] == "49"
    assert found["x-ratelimit-reset-requests"] == "6s"
    assert found["x-ratelimit-limit-tokens"] == "1000"
    assert "x-ratelimit-reset-tokens" not in found
    assert "set-cookie" not in found
    assert found["anthropic-ratelimit-requests-limit"] == "50"


def test_limits_that_upstream_does_not_say_are_not_invented():
    assert openai_headers({}, now=NOW) == {}


def test_a_plans_window_says_when_it_opens_again():
    window = {"anthropic-ratelimit-unified-reset": str(NOW + 90), "anthropic-ratelimit-unified-status": "rejected"}
    found = openai_headers(window, now=NOW)
    assert found["retry-after"] == "90"
    assert found["x-ratelimit-reset-requests"] == "1m30s"
    assert found["x-ratelimit-remaining-requests"] == "0"
    assert "x-ratelimit-limit-requests" not in found


def test_a_plans_window_that_is_open_has_a_reset_and_no_count():
    window = {"anthropic-ratelimit-unified-reset": str(NOW + 90), "anthropic-ratelimit-unified-status": "allowed"}
    found = openai_headers(window, now=NOW)
    assert found["x-ratelimit-reset-requests"] == "1m30s"
    assert not {"retry-after", "x-ratelimit-remaining-requests"} & found.keys()


@pytest.mark.parametrize("reset", ["soon", "nan", "inf", "-5", "9" * 400, ""])
def test_a_window_that_ends_at_no_time_is_not_told(reset: str):
    window = {"anthropic-ratelimit-unified-reset": reset, "anthropic-ratelimit-unified-status": "rejected"}
    assert openai_headers(window, now=NOW).keys() == window.keys()


def test_what_upstream_counts_and_says_itself_wins_over_the_window():
    window = {"anthropic-ratelimit-unified-reset": str(NOW + 90), "anthropic-ratelimit-unified-status": "rejected"}
    found = openai_headers({**window, "retry-after": "7", "anthropic-ratelimit-requests-remaining": "3"}, now=NOW)
    assert (found["retry-after"], found["x-ratelimit-remaining-requests"]) == ("7", "3")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(-5, "0ms"), (0.35, "350ms"), (12, "12s"), (12.5, "12.5s"), (59.97, "60s"), (360, "6m0s"), (3723, "1h2m3s")],
)
def test_a_duration_is_written_as_openai_does(seconds: float, text: str):
    assert duration(seconds) == text
