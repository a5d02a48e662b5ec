from typing import Any

import pytest

from claude_proxy.dialects.service_tier import service_tier
from claude_proxy.translate.draft import ReplyContext
from claude_proxy.translate.reply import ReplyReader
from claude_proxy.translate.reply_handler import ReplyHandler
from tests.support.messages_stream import message_start


@pytest.mark.parametrize(
    ("usage", "told"),
    [
        ({"service_tier": "standard"}, "default"),
        ({"service_tier": "priority"}, "priority"),
        ({"service_tier": "batch"}, "default"),
        ({"service_tier": "standard", "speed": "fast"}, "fast"),
        ({}, None),
    ],
    ids=str,
)
def test_the_tier_is_told_in_openais_words(usage: dict[str, Any], told: str | None):
    reader = ReplyReader(ReplyContext(), ReplyHandler())
    reader.feed(message_start(**usage))
    assert service_tier(reader) == told
