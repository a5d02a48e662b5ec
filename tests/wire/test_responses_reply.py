from typing import Any

import msgspec
import pytest
from openai.types.responses import ResponseOutputItem
from pydantic import TypeAdapter

from claude_proxy.wire import responses_reply as wire
from tests.support.judge import unknown_keys

ITEM: TypeAdapter[Any] = TypeAdapter(ResponseOutputItem)

ITEMS: list[wire.OutputItem] = [
    wire.ReasoningItem("rs_1", [wire.SummaryText(msgspec.Raw(b'"Hm."'))], "completed", "x"),
    wire.MessageItem("msg_1", "assistant", "incomplete", [wire.OutputText("t", [], [])]),
    wire.MessageItem("msg_1", "assistant", "completed", [wire.OutputRefusal("no")]),
    wire.FunctionCallItem("fc_1", "c", "f", "{}", "completed", "ns"),
    wire.CustomToolCallItem("ctc_1", "c", "f", "i"),
    wire.WebSearchCallItem("ws_1", "failed", wire.SearchAction("q", ["q"], [wire.Source("https://a.org")])),
    wire.WebSearchCallItem("ws_1", "completed", wire.OpenPageAction("https://a.org")),
    wire.McpCallItem("mcp_1", "docs", "f", "{}", None, wire.ToolExecutionError("x"), "failed"),
    wire.LocalShellCallItem("lsh_1", "c", wire.LocalShellAction(["ls"], {}, 5, "/"), "completed"),
    wire.ShellCallItem("sh_1", "c", wire.ShellAction(["ls"]), "completed"),
    wire.ApplyPatchCallItem("apc_1", "c", wire.PatchOperation("create_file", "a", "+"), "completed"),
    wire.CompactionItem("cmp_1", "x"),
]


@pytest.mark.parametrize("item", ITEMS, ids=lambda item: type(item).__name__)
def test_every_item_is_one_of_the_newest_sdk(item: wire.OutputItem):
    written = msgspec.json.decode(msgspec.json.encode(item))
    read = ITEM.validate_python(written, strict=True)
    assert not unknown_keys(read)
    assert read.type == written["type"]


def test_a_field_without_a_value_is_left_out():
    written = msgspec.json.decode(msgspec.json.encode(ITEMS[4]))
    assert "namespace" not in written
