import gzip

import pytest

from tests.conftest import pytest_make_parametrize_id as make_id


@pytest.mark.parametrize("value", [gzip.compress(b"a"), b"a" * 41, b"\x00", b"a\nb"])
def test_bytes_that_are_not_short_text_give_no_id(value: bytes):
    assert make_id(value, "body") == "body"


@pytest.mark.parametrize("value", [b"", b"gzip", "text", 5, None])
def test_other_values_have_pytests_own_id(value: object):
    assert make_id(value, "body") is None


def test_the_same_argument_name_twice_is_numbered(request: pytest.FixtureRequest):
    names = [item.name for item in request.session.items if item.name.startswith("test_bytes_that_are_not_short")]
    assert len(names) == len(set(names))
