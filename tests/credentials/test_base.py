import pytest

from claude_proxy.credentials.base import (
    MAX_SECRET,
    Credential,
    Finding,
    Secret,
    Source,
    flaw,
    looks_like_oauth,
    printable,
)

TEXT = "sk-ant-api03-made-up-for-the-tests-AAAAAAAAAAAAwxyz"


class Deaf(Source):
    name = "deaf"
    description = "a source that never has anything"

    def look(self) -> Finding:
        return self.not_here("never")


def test_a_secret_does_not_show_itself():
    secret = Secret(TEXT)
    assert TEXT not in f"{secret} {secret!r} {[secret]} {Credential('api_key', secret, 'somewhere')}"
    assert secret.reveal() == TEXT


def test_the_tail_tells_keys_apart():
    assert Secret(TEXT).tail == "…wxyz"


def test_a_short_secret_has_no_tail():
    assert Secret("short").tail == "…"


def test_two_secrets_with_the_same_text_are_equal():
    assert Secret(TEXT) == Secret(TEXT)
    assert Secret(TEXT) != Secret(TEXT + "1")


def test_an_ordinary_key_has_no_flaw():
    assert flaw(TEXT) is None


@pytest.mark.parametrize(
    "text", ["", "a b", "a\tb", "a\nb", "a\rb", "a\x00b", "a\x7fb", "schlüssel", "a" * (MAX_SECRET + 1)]
)
def test_what_cannot_be_a_header_value_has_a_flaw(text: str):
    problem = flaw(text)
    assert problem
    assert not text or text not in problem


def test_an_oauth_token_is_known_by_its_beginning():
    assert looks_like_oauth("sk-ant-oat01-abc")
    assert not looks_like_oauth(TEXT)


def test_a_source_has_an_answer_of_each_kind():
    source = Deaf()
    assert source.look() == Finding("deaf", "not here", "never")
    assert source.cannot_look("locked", "unlock").state == "cannot look"
    assert source.unusable("bad", "mend", stops=True) == Finding("deaf", "unusable", "bad", "mend", stops=True)


def test_a_source_is_constant_and_renews_nothing_unless_it_says_so():
    source, credential = Deaf(), Credential("api_key", Secret(TEXT), "deaf")
    assert source.fingerprint() == source.fingerprint()
    assert not source.has_fingerprint
    assert not source.can_renew(credential)
    assert source.renew(credential) == "it cannot be renewed"


def test_a_source_that_has_a_fingerprint_says_so():
    class Watched(Deaf):
        def fingerprint(self) -> object:
            return 1

    assert Watched().has_fingerprint


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("caf\N{LATIN SMALL LETTER E WITH ACUTE}", "caf\N{LATIN SMALL LETTER E WITH ACUTE}"),
        ("one\ntwo\r\nthree", "one two three"),
        ("\x1b[2Jcleared\x07", "\\x1b[2Jcleared\\x07"),
        ("\N{RIGHT-TO-LEFT OVERRIDE}txt", "\\u202etxt"),
        ("/home/\udcff/x", "/home/\\udcff/x"),
        (f"it holds {TEXT}", "it holds sk-ant-***"),
        ("x" * 1000, "x" * 500 + "…"),
    ],
)
def test_what_a_finding_says_can_be_shown_as_it_is(text: str, shown: str):
    assert printable(text) == shown
    finding = Finding("deaf", "cannot look", text, text)
    assert (finding.detail, finding.hint) == (shown, shown)
