import json

import pytest

from claude_proxy.dialects.api import MESSAGES, OPENAI
from claude_proxy.dialects.base import ErrorReport


def report(status: int = 400, message: str = "no") -> ErrorReport:
    return ErrorReport(status, "invalid_request_error", "invalid_value", message, "messages[0]")


def test_openais_body_has_all_four_keys() -> None:
    assert json.loads(OPENAI.error_body(report(message="no (do that)"), "req_1")) == {
        "error": {
            "message": "no (do that)",
            "type": "invalid_request_error",
            "param": "messages[0]",
            "code": "invalid_value",
        }
    }
    assert json.loads(OPENAI.error_body(ErrorReport(500, "server_error", None, "no"), ""))["error"]["param"] is None


@pytest.mark.parametrize(
    ("status", "type_"),
    [(400, "invalid_request_error"), (401, "authentication_error"), (403, "permission_error"), (404, "not_found_error"),
     (405, "invalid_request_error"), (413, "request_too_large"), (429, "rate_limit_error"), (500, "api_error"),
     (502, "api_error"), (503, "overloaded_error"), (504, "timeout_error")],
)  # fmt: skip
def test_anthropics_body_has_anthropics_types(status: int, type_: str) -> None:
    body = json.loads(MESSAGES.error_body(report(status), "req_1"))
    assert body == {"type": "error", "error": {"type": type_, "message": "no"}, "request_id": "req_1"}


def test_an_event_is_one_frame_of_the_clients_api() -> None:
    assert OPENAI.error_event(report(message="a\nb"), "").startswith(b'data: {"error":')
    assert MESSAGES.error_event(report(message="a\nb"), "").startswith(b"event: error\ndata: ")
    assert MESSAGES.error_event(report(message="a\nb"), "").count(b"\n") == 3


def test_a_client_that_waits_gets_a_comment() -> None:
    assert OPENAI.keepalive() == MESSAGES.keepalive() == b": ping\n\n"
