import json

import pytest

from claude_proxy.simulator.api_error import TYPES, ApiError, invalid


@pytest.mark.parametrize(("status", "type_"), [*TYPES.items(), (418, "invalid_request_error"), (502, "api_error")])
def test_the_type_follows_from_the_status(status: int, type_: str):
    assert ApiError(status, "text").type == type_


def test_a_body_has_type_message_details_and_request_id():
    error = ApiError(429, "text", type="other_error", details={"error_code": "c"})
    assert json.loads(error.body("req_1")) == {
        "type": "error",
        "error": {"type": "other_error", "message": "text", "details": {"error_code": "c"}},
        "request_id": "req_1",
    }


def test_a_body_without_details_has_no_such_key():
    assert "details" not in invalid("text").value("req_1")["error"]
    assert invalid("text").status == 400


def test_a_lone_surrogate_in_a_message_can_be_encoded():
    assert json.loads(invalid("a\udcff").body("req_1"))["error"]["message"] == "a\\udcff"
