import pytest

from claude_proxy.dialects.base import ErrorReport
from claude_proxy.dialects.responses.failure import response_error


@pytest.mark.parametrize(
    ("status", "code", "told"),
    [
        (429, "rate_limit_exceeded", "rate_limit_exceeded"),
        (503, "server_is_overloaded", "server_is_overloaded"),
        (400, "context_length_exceeded", "context_length_exceeded"),
        (429, "insufficient_quota", "insufficient_quota"),
        (502, "upstream_disconnected", "server_error"),
        (500, None, "server_error"),
        (400, "invalid_value", "invalid_prompt"),
    ],
)
def test_a_failed_response_has_a_code_that_clients_know(status: int, code: str | None, told: str):
    error = response_error(ErrorReport(status, "server_error", code, "Why."))
    assert (error.code, error.message) == (told, "Why.")
