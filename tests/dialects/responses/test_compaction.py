import json

import pytest
from msgspec import Raw

from claude_proxy.dialects.responses.compaction import ends_with_trigger, is_trigger, since_compaction
from claude_proxy.dialects.responses.encrypted import SealedSummary, seal_summary
from claude_proxy.wire.anthropic import TextBlock


def raw(**fields: object) -> Raw:
    return Raw(json.dumps(fields).encode())


USER = raw(role="user", content="compaction_trigger")
TRIGGER = raw(type="compaction_trigger")
OURS = raw(type="compaction", encrypted_content=seal_summary(SealedSummary([TextBlock("x")])))
FOREIGN = raw(type="compaction", encrypted_content="gAAAA")


def test_only_the_last_item_triggers():
    assert ends_with_trigger([USER, TRIGGER])
    assert not ends_with_trigger([TRIGGER, USER])
    assert not ends_with_trigger("compaction_trigger")
    assert not ends_with_trigger([])
    assert not ends_with_trigger(None)


@pytest.mark.parametrize("item", [USER, Raw(b'{"compaction_trigger"'), Raw(b'["compaction_trigger"]')])
def test_what_is_no_trigger(item: Raw):
    assert not is_trigger(item)


def test_a_compaction_of_ours_stands_for_what_came_before():
    assert since_compaction([USER, OURS, USER, OURS, USER]) == [OURS, USER]
    assert since_compaction([USER, FOREIGN, USER]) == [USER, FOREIGN, USER]
    assert since_compaction([]) == []
