from typing import Any

import msgspec
import pytest
from openai.types.responses.tool_param import ToolParam
from typing_extensions import get_type_hints

from claude_proxy.wire.responses_tools import TOOLS, UNSUPPORTED_TOOLS, ShellEnvironment, ShellTool
from tests.wire.test_responses_items import members, types_of


def test_every_tool_of_the_newest_sdk_is_read_or_left_out():
    theirs = {name for member in members(ToolParam) for name in types_of(member)}
    assert theirs <= TOOLS.keys() | UNSUPPORTED_TOOLS


@pytest.mark.parametrize("member", members(ToolParam), ids=lambda member: member.__name__)
def test_every_field_of_a_tool_of_the_newest_sdk_is_known(member: Any):
    for name in types_of(member):
        if name in TOOLS:
            known = {field.encode_name for field in msgspec.structs.fields(TOOLS[name])}
            assert get_type_hints(member).keys() <= known


def test_a_shell_is_local_unless_it_says_otherwise():
    read = msgspec.json.decode(b'{"type":"shell","environment":{"type":"container_auto","x":1}}', type=ShellTool)
    assert (ShellEnvironment().type, read.environment and read.environment.type) == ("local", "container_auto")
