import pytest

from claude_proxy.credentials.environment import EnvironmentVariable
from tests.credentials.contract import SECRET, SourceContract, found


class TestAnApiKey(SourceContract):
    def empty(self):
        return EnvironmentVariable("ANTHROPIC_API_KEY", "api_key", {})

    def holding(self, secret: str):
        return EnvironmentVariable("ANTHROPIC_API_KEY", "api_key", {"ANTHROPIC_API_KEY": secret})


class TestABearerToken(SourceContract):
    def empty(self):
        return EnvironmentVariable("ANTHROPIC_AUTH_TOKEN", "auth_token", {"ANTHROPIC_AUTH_TOKEN": "  "})

    def holding(self, secret: str):
        return EnvironmentVariable("ANTHROPIC_AUTH_TOKEN", "auth_token", {"ANTHROPIC_AUTH_TOKEN": secret})


@pytest.mark.parametrize("kind", ["api_key", "auth_token", "oauth"])
def test_the_kind_is_the_variables(kind):
    credential = found(EnvironmentVariable("X", kind, {"X": SECRET}))
    assert credential.kind == kind
    assert credential.follows_base_url
    assert not credential.stored_login


def test_a_line_break_around_a_key_is_not_part_of_it():
    assert found(EnvironmentVariable("X", "api_key", {"X": f"{SECRET}\n"})).secret.reveal() == SECRET


def test_a_variable_that_cannot_be_used_is_not_passed_over():
    finding = EnvironmentVariable("X", "api_key", {"X": "two words"}).look()
    assert finding.stops
    assert "X" in (finding.hint or "")


def test_an_oauth_token_given_as_a_key_is_pointed_out():
    finding = EnvironmentVariable("X", "api_key", {"X": "sk-ant-oat01-made-up"}).look()
    assert finding.state == "found"
    assert "CLAUDE_CODE_OAUTH_TOKEN" in (finding.hint or "")
