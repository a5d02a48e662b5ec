import inspect
import re

import pytest

from claude_proxy import errors
from claude_proxy.errors import ERROR_KINDS, STATUS_OF_TYPE, InvalidRequest, ProxyError, UpstreamRefused, error_kind

TREE = [item for _, item in inspect.getmembers(errors, inspect.isclass) if issubclass(item, ProxyError)]


def test_the_tree_in_the_docstring_is_the_tree():
    drawn = set(re.findall(r"^[\s│├└─]*([A-Z]\w+)", errors.__doc__ or "", re.MULTILINE))
    assert {item.__name__ for item in TREE} <= drawn


@pytest.mark.parametrize("kind", TREE)
def test_every_error_has_what_a_body_needs(kind: type[ProxyError]):
    assert isinstance(kind.status if kind is not UpstreamRefused else 502, int)
    assert kind.type
    assert kind.code is None or re.fullmatch(r"[a-z_]+", kind.code)


def test_an_error_keeps_its_place_its_code_and_its_way_out():
    error = InvalidRequest("no", param="messages[0]", code="odd", hint="do this", headers={"retry-after": "1"})
    assert (error.message, error.param, error.code, error.text) == ("no", "messages[0]", "odd", "no (do this)")
    assert error.headers == {"retry-after": "1"}
    assert str(error) == "no"


def test_without_a_hint_the_text_is_the_message():
    assert InvalidRequest("no").text == "no"
    assert InvalidRequest("no").code is None


def test_what_upstream_refused_keeps_upstream_s_status_and_type():
    error = UpstreamRefused("busy", status=429, type="rate_limit_error", code="rate_limit_exceeded")
    assert (error.status, error.type, error.code) == (429, "rate_limit_error", "rate_limit_exceeded")


@pytest.mark.parametrize("error", TREE)
def test_an_error_of_ours_has_the_type_of_upstreams_with_its_status(error: type[ProxyError]):
    own_types = {"config_error", "service_error"}  # never sent to a client
    if error is not UpstreamRefused:
        assert error.type in own_types | {error_kind(error.status).type}


@pytest.mark.parametrize(
    ("status", "type_", "code"),
    [
        (401, "authentication_error", "invalid_api_key"),
        (403, "permission_error", "insufficient_quota"),
        (429, "requests", "rate_limit_exceeded"),
        (500, "server_error", "internal_server_error"),
        (503, "server_error", "service_unavailable"),
    ],
)
def test_the_codes_that_clients_act_on(status: int, type_: str, code: str):
    assert ERROR_KINDS[status][:3] == (status, type_, code)


@pytest.mark.parametrize(
    ("status", "reported"), [(418, 418), (451, 451), (502, 502), (599, 599), (302, 502), (999, 502)]
)
def test_a_status_without_a_row_keeps_its_number_where_it_is_an_error(status: int, reported: int):
    assert error_kind(status).status == reported
    assert error_kind(status).code is None


def test_an_overloaded_event_is_the_529_and_not_the_503():
    assert STATUS_OF_TYPE["overloaded_error"] == 529
    assert error_kind(529) == (503, "server_error", "server_is_overloaded", "overloaded_error")
