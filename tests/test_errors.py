import inspect
import re

import pytest

from claude_proxy import errors
from claude_proxy.errors import InvalidRequest, ProxyError, UpstreamRefused

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
