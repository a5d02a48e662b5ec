from claude_proxy.dialects.base import ErrorReport


def test_an_error_is_one_line_with_the_code_or_else_the_type() -> None:
    assert ErrorReport(429, "requests", "rate_limit_exceeded", "slow down").line == "429 rate_limit_exceeded: slow down"
    assert ErrorReport(500, "server_error", None, "no").line == "500 server_error: no"
