import json
from typing import Any

import pytest

from claude_proxy.errors import InvalidRequest
from claude_proxy.translate.web_search import web_search_tool


@pytest.mark.parametrize(("size", "uses"), [(None, 5), ("low", 1), ("medium", 5), ("high", 10)])
def test_the_size_of_the_context_is_a_number_of_searches(size: str | None, uses: int):
    assert json.loads(bytes(web_search_tool(size, None, param="x")))["max_uses"] == uses


@pytest.mark.parametrize(
    ("location", "expected"),
    [
        (None, None),
        ({"city": "Bern", "region": None, "timezone": ""}, {"type": "approximate", "city": "Bern"}),
    ],
)
def test_a_location_is_sent_without_what_is_not_known(location: Any, expected: Any):
    assert json.loads(bytes(web_search_tool(None, location, param="x"))).get("user_location") == expected


def test_an_unknown_size_is_refused_with_its_path():
    with pytest.raises(InvalidRequest) as refusal:
        web_search_tool("huge", None, param="tools[0]")
    assert refusal.value.param == "tools[0].search_context_size"
