import json
from typing import Any

import pytest
from msgspec import Raw

from claude_proxy.dialects.catalog import DIALECTS, detect


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({"messages": []}, "chat"),
        ({"model": "m"}, "chat"),
        ({"input": "x"}, "responses"),
        ({"prompt": {"id": "pmpt_1"}}, "responses"),
        ({"previous_response_id": "resp_1"}, "responses"),
        ({"prompt": "x"}, "completions"),
        ({"prompt": ["x"]}, "completions"),
        ({"prompt": "x", "messages": []}, "chat"),
    ],
    ids=str,
)
def test_a_body_is_in_the_dialect_of_its_prompt(fields: dict[str, Any], name: str):
    assert detect({key: Raw(json.dumps(value).encode()) for key, value in fields.items()}) == name


def test_each_dialect_stands_under_its_own_name():
    assert all(documented.dialect.name == name for name, documented in DIALECTS.items())
