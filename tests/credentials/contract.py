"""The contract that every source of credentials keeps."""

from abc import abstractmethod

from claude_proxy.credentials.base import Credential, Source

SECRET = "sk-ant-api03-made-up-for-the-tests-AAAAAAAAAAAAAAAA"


def found(source: Source) -> Credential:
    """The credential that `source` finds."""
    credential = source.look().credential
    assert credential is not None
    return credential


class SourceContract:
    """A subclass says how its source is made: with nothing there, with SECRET in it, and with something useless."""

    @abstractmethod
    def empty(self) -> Source: ...

    @abstractmethod
    def holding(self, secret: str) -> Source:
        """The same place, with `secret` in it."""

    def test_it_has_a_name_and_a_description(self):
        source = self.empty()
        assert source.name
        assert source.description

    def test_nothing_there_is_not_here_or_cannot_look(self):
        finding = self.empty().look()
        assert finding.state in ("not here", "cannot look")
        assert finding.credential is None
        assert finding.detail

    def test_a_secret_is_found(self):
        source = self.holding(SECRET)
        finding = source.look()
        assert finding.state == "found"
        assert finding.source == source.name
        assert finding.credential is not None
        assert finding.credential.secret.reveal() == SECRET
        assert finding.credential.source == source.name

    def test_nothing_printable_holds_the_secret(self):
        source = self.holding(SECRET)
        finding = source.look()
        assert SECRET not in f"{finding!r} {finding.detail} {finding.hint} {source.description} {source.fingerprint()}"

    def test_a_secret_that_would_break_a_header_is_unusable(self):
        finding = self.holding("sk-ant-api03-AAAA\r\nx-evil: 1").look()
        assert finding.state == "unusable"
        assert "AAAA" not in f"{finding!r}"

    def test_a_secret_that_is_not_ascii_is_unusable(self):
        assert self.holding("sk-ant-\N{GREEK SMALL LETTER ALPHA}pi03-AAAA").look().state == "unusable"

    def test_a_look_changes_neither_the_fingerprint_nor_the_answer(self):
        source = self.holding(SECRET)
        first, fingerprint = source.look(), source.fingerprint()
        assert source.look() == first
        assert source.fingerprint() == fingerprint
