import pytest
from aiohttp import web

from claude_proxy.errors import InvalidRequest
from claude_proxy.server.failures import report

SECRET = "sk-ant-oat01-" + "S" * 40


def test_an_error_is_told_with_its_hint_and_headers() -> None:
    told = report(InvalidRequest("no", param="n", code="invalid_value", hint="do that", headers={"retry-after": "1"}))
    assert (told.status, told.type, told.code, told.param) == (400, "invalid_request_error", "invalid_value", "n")
    assert (told.message, told.headers) == ("no (do that)", {"retry-after": "1"})
    assert told.line == "400 invalid_value: no (do that)"


def test_a_secret_in_an_error_is_struck_out() -> None:
    assert SECRET not in report(InvalidRequest(f"bad header: Bearer {SECRET}", hint=f"or {SECRET}")).message


def test_an_unforeseen_error_is_logged_with_its_traceback_and_not_told(caplog: pytest.LogCaptureFixture) -> None:
    told = report(ZeroDivisionError("secret detail"))
    assert (told.status, told.code) == (500, "internal_server_error")
    assert "secret detail" not in told.message
    assert caplog.records[0].exc_info is not None


def test_aiohttps_own_refusals_keep_their_status() -> None:
    assert report(web.HTTPRequestEntityTooLarge(1, 2)).status == 413
    assert report(web.HTTPExpectationFailed()).status == 417
