import json
from typing import Any

import pytest

from claude_proxy.dialects.chat.dialect import CHAT
from claude_proxy.dialects.service_tier import service_tier
from claude_proxy.options import Options
from claude_proxy.translate.models import model_for


def tier_of(usage: dict[str, Any]) -> str | None:
    request = CHAT.read(b'{"model":"claude-opus-5","messages":[{"role":"user","content":"x"}]}')
    translated = request.translate(model=model_for("claude-opus-5", {}), options=Options(), memory=None)
    choice = translated.folded(id_="1", created=0).choices[0]
    start = {"type": "message_start", "message": {"id": "msg_1", "usage": {"input_tokens": 1, **usage}}}
    choice.feed(f"data: {json.dumps(start)}\n\n".encode())
    return service_tier(choice.reader)


@pytest.mark.parametrize(
    ("usage", "tier"),
    [
        ({"service_tier": "standard"}, "default"),
        ({"service_tier": "priority"}, "priority"),
        ({"service_tier": "batch"}, "default"),
        ({"service_tier": "standard", "speed": "fast"}, "fast"),
        ({"service_tier": "newer"}, None),
        ({}, None),
    ],
)
def test_the_tier_that_answered_has_openais_name(usage: dict[str, Any], tier: str | None):
    assert tier_of(usage) == tier
