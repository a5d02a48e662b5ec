import pytest

from claude_proxy.credentials.base import Credential, Secret
from claude_proxy.credentials.terms import is_plan_login, terms_note


@pytest.mark.parametrize("source", ["Claude CLI login", "CLAUDE_CODE_OAUTH_TOKEN"])
def test_a_plan_login_comes_with_three_plain_lines(source):
    note = terms_note(Credential("oauth", Secret("x"), source, stored_login=True)) or ""
    assert len(note.splitlines()) == 3
    for words in (
        "your own machine",
        "prefers API keys",
        "may refuse",
        "ANTHROPIC_API_KEY",
        "claude auth login --console",
    ):
        assert words in note


@pytest.mark.parametrize(
    ("kind", "source"),
    [
        ("api_key", "ANTHROPIC_API_KEY"),
        ("api_key", "Claude CLI Console key"),
        ("auth_token", "ANTHROPIC_AUTH_TOKEN"),
        ("oauth", "Anthropic profile (login)"),
    ],
)
def test_what_is_meant_for_tools_comes_without(kind, source):
    assert terms_note(Credential(kind, Secret("x"), source)) is None


@pytest.mark.parametrize(
    ("kind", "source", "subscription", "plan"),
    [
        ("oauth", "Claude CLI login", "max", True),
        ("oauth", "CLAUDE_CODE_OAUTH_TOKEN", None, True),
        ("oauth", "Anthropic profile default", None, False),
        ("api_key", "ANTHROPIC_API_KEY", None, False),
        (None, "the claude program", "pro", True),
        (None, "the claude program", None, False),
    ],
)
def test_a_plan_login_is_told_from_what_pays_for_each_token(kind, source, subscription, plan):
    assert is_plan_login(kind, source, subscription) is plan
