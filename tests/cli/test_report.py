"""What is printed about a daemon that was started; the transcripts show whole sessions."""

import pytest

from claude_proxy.cli import report
from claude_proxy.config import load
from claude_proxy.errors import CredentialError
from claude_proxy.service import probe
from tests.cli.test_status import RECORD

SEARCHING: dict[str, object] = {"credential": {"found": None, "message": "the search for one has not ended yet"}}
FOUND: dict[str, object] = {"credential": {"found": True, "source": "a source", "kind": "api_key"}}


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, object]]:
    """What the daemon answers to requests for its status, one after the other; the last one is repeated."""
    left: list[dict[str, object]] = []
    monkeypatch.setattr(probe, "get_json", lambda *_, **__: left.pop(0) if len(left) > 1 else left[0])
    monkeypatch.setattr(report, "POLL_INTERVAL", 0.001)
    return left


def test_the_credential_of_a_service_is_asked_for_until_the_daemon_has_looked(answers: list[dict[str, object]]):
    answers += [SEARCHING, SEARCHING, FOUND]
    assert report._credential_lines(RECORD) == ["credential: a source (API key)"]


def test_a_daemon_of_an_older_version_is_asked_once(answers: list[dict[str, object]]):
    answers += [{}, FOUND]
    assert report._status_after_search(RECORD) == {}


def test_a_daemon_that_goes_on_searching_is_given_up(answers: list[dict[str, object]], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(report, "SEARCH_TIMEOUT", 0.01)
    answers += [SEARCHING]
    assert report._status_after_search(RECORD) == SEARCHING


def test_a_cli_that_is_set_up_for_a_cloud_needs_no_credential_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLAUDE_CODE_USE_BEDROCK", "1")
    check = report.CredentialCheck(load({}, {}))
    check()
    assert check.line == "account: Amazon Bedrock, by the Claude CLI"
    with pytest.raises(CredentialError):
        report.CredentialCheck(load({"backend": "direct"}, {}))()


def test_the_clis_own_login_is_enough_where_it_is_asked_for() -> None:
    check = report.CredentialCheck(load({"backend": "cli"}, {}))
    check()
    assert check.line == "account: the Claude CLI's own login"
    with pytest.raises(CredentialError):
        report.CredentialCheck(load({}, {}))()
