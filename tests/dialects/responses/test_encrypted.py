import base64

import pytest

from claude_proxy.dialects.responses.encrypted import (
    SealedSummary,
    SealedThinking,
    seal,
    seal_summary,
    unseal,
    unseal_summary,
)
from claude_proxy.wire.anthropic import RedactedThinkingBlock, TextBlock, ThinkingBlock

THINKING = SealedThinking("claude-opus-4-8", [ThinkingBlock("Hm. é", "c2ln"), RedactedThinkingBlock("cmVk")])
SUMMARY = SealedSummary([TextBlock("Earlier: hello.")])


def test_what_was_sealed_is_read_again():
    assert unseal(seal(THINKING)) == THINKING
    assert unseal_summary(seal_summary(SUMMARY)) == SUMMARY


@pytest.mark.parametrize(
    "content",
    ["", "gAAAAABm", "cp1.", "cp1.!!!", "cp1." + base64.urlsafe_b64encode(b"[]").decode(), seal(THINKING)[:-5]],
)
def test_foreign_or_damaged_content_is_none(content: str):
    assert unseal(content) is None
    assert unseal_summary(content) is None


def test_thinking_is_no_summary_and_a_summary_no_thinking():
    assert unseal(seal_summary(SUMMARY)) is None
    assert unseal_summary(seal(THINKING)) is None
