import pytest

from claude_proxy.wire.refusals import refuses_plan_login


@pytest.mark.parametrize(
    "message",
    [
        "This credential is only authorized for use with Claude Code and cannot be used for other API requests.",
        "Third-party apps now draw from your extra usage, not your plan limits. Add more at claude.ai.",
    ],
)
def test_both_texts_are_known(message: str) -> None:
    assert refuses_plan_login(message)


@pytest.mark.parametrize("message", ["", "max_tokens: too many", "This organization has been disabled."])
def test_other_errors_are_no_such_refusal(message: str) -> None:
    assert not refuses_plan_login(message)
