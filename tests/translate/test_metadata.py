import pytest
from msgspec import Raw

from claude_proxy.translate.metadata import pass_through, set_service_tier, set_user
from tests.translate.middle import as_json, draft, warnings


def test_an_end_user_is_sent_as_a_hash():
    made = draft()
    set_user(made, "someone@example.org")
    assert made.body.metadata is not None
    assert len(made.body.metadata.user_id) == 64
    set_user(made, "")
    assert len(as_json(made.body.metadata)["user_id"]) == 64


@pytest.mark.parametrize(
    ("tier", "fast_mode", "expected"),
    [
        ("auto", False, (None, None, 0)),
        ("default", False, ("standard_only", None, 0)),
        ("priority", False, ("auto", None, 0)),
        ("fast", True, (None, "fast", 0)),
        ("fast", False, (None, None, 1)),
        ("flex", False, (None, None, 1)),
        ("standard_only", False, (None, None, 1)),
        ("gold", False, (None, None, 1)),
    ],
)
def test_a_service_tier_is_a_tier_or_a_speed(tier: str, fast_mode: bool, expected: tuple[str | None, str | None, int]):
    made = draft("claude-opus-5", fast_mode=fast_mode)
    set_service_tier(made, tier)
    assert (made.body.service_tier, made.body.speed, len(warnings(made))) == expected


def test_a_field_that_is_passed_through_brings_its_beta():
    made = draft()
    pass_through(made, "context_management", Raw(b'{"edits":[{"type":"compact_20260112"}]}'))
    assert made.betas == ["context-management-2025-06-27", "compact-2026-01-12"]
    assert bytes(made.extra_fields["context_management"]) == b'{"edits":[{"type":"compact_20260112"}]}'
