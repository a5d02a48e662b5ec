import pytest

from claude_proxy.redaction import MAX_SECRETS, Redactor

TOKEN = 'gateway/token-"of"-no-known-form'


@pytest.fixture
def redactor() -> Redactor:
    known = Redactor()
    known.add(TOKEN)
    return known


def test_a_secret_of_anthropics_is_removed_by_its_form() -> None:
    assert (
        Redactor().redact("key sk-ant-api03-abc_DEF-1, Bearer abcdefghijklmnop=") == "key sk-ant-***, Bearer sk-ant-***"
    )


def test_a_secret_of_unknown_form_is_removed_by_its_value(redactor: Redactor) -> None:
    assert redactor.redact(f"bad value: {TOKEN}!") == "bad value: ***!"


@pytest.mark.parametrize("quoted", [r"gateway/token-\"of\"-no-known-form", r"gateway\/token-" + '"of"-no-known-form'])
def test_a_secret_is_removed_where_json_escapes_it(redactor: Redactor, quoted: str) -> None:
    assert redactor.redact(quoted) == "***"


def test_bytes_that_are_no_text_stay_as_they_are(redactor: Redactor) -> None:
    assert redactor.redact_bytes(b"\xff\x00" + TOKEN.encode() + b"\xe2\x82\xac") == b"\xff\x00***\xe2\x82\xac"


def test_header_values_are_redacted_and_good_ones_are_not_copied(redactor: Redactor) -> None:
    good = {"request-id": "req_1", "a": "b"}
    assert redactor.redact_headers(good) is good
    assert redactor.redact_headers({"request-id": f"req {TOKEN}", "a": "b"}) == {"request-id": "req ***", "a": "b"}


def test_a_secret_that_contains_another_one_is_removed_whole() -> None:
    redactor = Redactor()
    redactor.add("12345678")
    redactor.add("12345678-and-more")
    assert redactor.redact("12345678-and-more 12345678") == "*** ***"


def test_a_value_as_short_as_a_word_is_not_removed() -> None:
    redactor = Redactor()
    redactor.add("test")
    assert redactor.redact("a test") == "a test"


def test_only_so_many_secrets_are_remembered_and_the_newest_are() -> None:
    redactor = Redactor()
    for number in range(MAX_SECRETS + 1):
        redactor.add(f"secret-{number:04d}")
    assert redactor.redact("secret-0000 secret-0001 secret-0016") == "secret-0000 *** ***"
