import re

import pytest

from claude_proxy import errors
from claude_proxy.errors import ProxyError, UpstreamRefused


def kinds(of: type[ProxyError] = ProxyError) -> list[type[ProxyError]]:
    below = [kind for kind in of.__subclasses__() if kind.__module__ == errors.__name__]
    return [of, *(each for kind in below for each in kinds(kind))]


def test_the_docstring_draws_the_whole_tree():
    drawn = re.findall(r"(?:── |^    )(\w+)", errors.__doc__ or "", re.MULTILINE)
    assert sorted(drawn) == sorted(kind.__name__ for kind in kinds())


def test_the_docstring_names_each_status():
    drawn = dict(re.findall(r"── (\w+) +(\d{3})\b", errors.__doc__ or ""))
    for kind in kinds():
        if kind.__name__ in drawn and kind is not UpstreamRefused:
            assert kind.status == int(drawn[kind.__name__]), kind


def test_an_error_carries_what_a_client_and_a_person_need():
    error = ProxyError("no", param="messages", code="x", hint="say yes", headers={"retry-after": "1"})
    assert (error.message, error.param, error.code, error.hint) == ("no", "messages", "x", "say yes")
    assert error.text == "no (say yes)"
    assert error.headers == {"retry-after": "1"}
    assert ProxyError("no").text == str(ProxyError("no")) == "no"
    assert ProxyError("no").headers == {}


@pytest.mark.parametrize("kind", [kind for kind in kinds() if kind is not UpstreamRefused])
def test_a_code_of_its_own_stays_on_the_class(kind: type[ProxyError]):
    before = kind.code
    assert kind("no", code="x").code == "x"
    assert kind("no").code == before


def test_a_refusal_of_upstream_brings_its_own_status_and_type():
    error = UpstreamRefused("no", status=418, type="teapot_error", code="teapot")
    assert (error.status, error.type, error.code) == (418, "teapot_error", "teapot")
