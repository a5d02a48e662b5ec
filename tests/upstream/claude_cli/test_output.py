import json
from typing import Any

import pytest
from msgspec import Raw

from claude_proxy.upstream.claude_cli.output import (
    EventHead,
    Failure,
    Line,
    event_frame,
    failure,
    read_event_head,
    read_line,
)


def result(text: str, status: int | None = None, **fields: Any) -> Line:
    found = read_line(
        json.dumps(
            {"type": "result", "subtype": "success", "is_error": True, "api_error_status": status, "result": text}
            | fields
        ).encode()
    )
    assert found is not None
    return found


# Texts as both versions write them.
@pytest.mark.parametrize(
    ("text", "status", "word", "expected"),
    [
        ("API Error: 400 max_tokens: too many", 400, None, Failure(400, "max_tokens: too many")),
        ("API Error: Request rejected (429) · slow down", 429, "rate_limit", Failure(429, "slow down")),
        ("Failed to authenticate. API Error: 401 bad token", 401, "authentication_failed", Failure(401, "bad token")),
        ("API Error: 500 broken", 500, "server_error", Failure(500, "broken")),
        ("API Error: 529 Overloaded", None, None, Failure(529, "Overloaded")),
        ("Overloaded", None, None, Failure(529, "Overloaded")),
        ("There's an issue with the selected model (x).", 404, None, Failure(404, "model: claude-x")),
        (
            "Not logged in · Please run /login",
            None,
            "authentication_failed",
            Failure(401, "the Claude CLI is not logged in"),
        ),
        ("Prompt is too long", None, "invalid_request", Failure(400, "Prompt is too long")),
        ("Something else", None, "billing_error", Failure(402, "Something else")),
        ("", None, None, Failure(500, "the Claude CLI ended with an error (success)")),
    ],
)
def test_errors_have_the_status_of_upstream(text: str, status: int | None, word: str | None, expected: Failure) -> None:
    assert failure(result(text, status), word, model="claude-x") == expected


def test_a_failure_is_said_as_upstream_says_it() -> None:
    error = {"type": "error", "error": {"type": "rate_limit_error", "message": "slow"}}
    assert json.loads(Failure(429, "slow").body) == error
    assert Failure(429, "slow").frame == b"event: error\ndata: " + Failure(429, "slow").body + b"\n\n"


def test_an_event_keeps_its_bytes() -> None:
    event = Raw(b'{"type": "ping",  "x": 1.0}')
    assert event_frame(read_event_head(event), event) == b'event: ping\ndata: {"type": "ping",  "x": 1.0}\n\n'


@pytest.mark.parametrize(
    ("event", "ends"),
    [
        (b'{"type":"message_delta","delta":{"stop_reason":"end_turn"}}', True),
        (b'{"type":"message_delta","delta":{"stop_reason":null}}', False),
        (b'{"type":"content_block_delta","delta":{"type":"text_delta","text":"x"}}', False),
    ],
)
def test_the_stop_reason_ends_a_message(event: bytes, ends: bool) -> None:
    assert read_event_head(event).ends_message is ends
    assert not EventHead("message_stop").ends_message


@pytest.mark.parametrize("line", [b"", b"text", b"[]", b'{"type":1}', b"\xff", b'{"type":"result","is_error":"x"}'])
def test_lines_of_an_unknown_form_are_of_no_use(line: bytes) -> None:
    assert read_line(line) is None


def test_rate_limits_are_told_by_window_and_as_headers() -> None:
    info = {
        "status": "allowed_warning",
        "resetsAt": 1795313470,
        "rateLimitType": "five_hour",
        "utilization": 0.93,
        "isUsingOverage": False,
        "unifiedWindows": {"seven_day": {"utilization": 0.3, "resetsAt": 1795709870, "status": "allowed"}},
    }
    line = read_line(json.dumps({"type": "rate_limit_event", "rate_limit_info": info}).encode())
    assert line is not None
    assert line.rate_limit_info is not None
    assert line.rate_limit_info.headers == {
        "anthropic-ratelimit-unified-status": "allowed_warning",
        "anthropic-ratelimit-unified-reset": "1795313470",
        "anthropic-ratelimit-unified-representative-claim": "five_hour",
        "anthropic-ratelimit-unified-7d-status": "allowed",
        "anthropic-ratelimit-unified-7d-utilization": "0.3",
        "anthropic-ratelimit-unified-7d-reset": "1795709870",
        "anthropic-ratelimit-unified-overage-in-use": "false",
    }


def test_older_versions_tell_one_window() -> None:
    line = read_line(
        b'{"type":"rate_limit_event","rate_limit_info":{"status":"rejected","resetsAt":5,"rateLimitType":"five_hour"}}'
    )
    assert line is not None
    assert line.rate_limit_info is not None
    assert line.rate_limit_info.headers["anthropic-ratelimit-unified-5h-reset"] == "5"


def test_limits_without_windows_are_no_invention() -> None:
    line = read_line(b'{"type":"rate_limit_event","rate_limit_info":{"status":"rejected"}}')
    assert line is not None
    assert line.rate_limit_info is not None
    assert line.rate_limit_info.headers == {"anthropic-ratelimit-unified-status": "rejected"}
