import json

import pytest

from claude_proxy.dialects.responses.emulated_tools import EMULATED_TOOLS
from tests.dialects.responses.case import sent


@pytest.mark.parametrize("name", EMULATED_TOOLS)
def test_each_is_sent_as_a_function_with_its_schema(name: str):
    (tool,) = sent({"tools": [{"type": name}]})["tools"]
    assert tool["name"] == name
    assert tool["description"] == EMULATED_TOOLS[name].description
    schema = json.loads(bytes(EMULATED_TOOLS[name].schema))
    assert set(schema["required"]) <= schema["properties"].keys()
