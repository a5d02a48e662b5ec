import json
from typing import Any

import pytest

from tests.dialects.chat.case import CREATED
from tests.dialects.responses.case import OWN_ID, translated_body
from tests.support.messages_stream import block_start, block_stop, delta, message_end, message_start, tool_block


def items(tool: dict[str, Any], *blocks: bytes) -> list[Any]:
    body = json.dumps({"model": "claude-opus-4-8", "input": "Hi", "tools": [tool]}).encode()
    fold = translated_body(body).folded(id_=OWN_ID, created=CREATED)
    fold.feed(message_start() + b"".join(blocks) + message_end("tool_use"))
    fold.close()
    output: list[Any] = json.loads(fold.body())["output"]
    return output


@pytest.mark.parametrize(
    ("name", "input_", "kind"),
    [
        ("shell", '{"commands":["ls"]}', "shell_call"),
        ("shell", '{"cmd":"ls"}', "function_call"),
        ("local_shell", '{"command":["ls"]}', "local_shell_call"),
        ("local_shell", '{"command":"ls"}', "function_call"),
        ("apply_patch", '{"type":"update_file","path":"a","diff":"@@"}', "apply_patch_call"),
        ("apply_patch", '{"type":"update_file","path":"a"}', "function_call"),
        ("apply_patch", '{"type":"delete_file","path":"a","diff":"x"}', "apply_patch_call"),
    ],
)
def test_a_call_of_an_emulated_tool_is_its_item_where_the_input_is_its_own(name: str, input_: str, kind: str):
    (item,) = items({"type": name}, tool_block(0, input_, name=name))
    assert item["type"] == kind
    assert "diff" not in item.get("operation", {}) or item["operation"]["type"] != "delete_file"


def search(result: object) -> tuple[bytes, ...]:
    return (
        block_start(0, type="server_tool_use", id="s", name="web_search", input={}),
        delta(0, type="input_json_delta", partial_json='{"query":"q"}'),
        block_stop(0),
        block_start(1, type="web_search_tool_result", tool_use_id="s", content=result),
        block_stop(1),
    )


@pytest.mark.parametrize(
    ("result", "status"),
    [
        ([], "completed"),
        ({"type": "web_search_tool_result_error", "error_code": "unavailable"}, "failed"),
        ("text", "failed"),
    ],
)
def test_a_search_is_done_as_its_result_says(result: object, status: str):
    (item,) = items({"type": "web_search"}, *search(result))
    assert (item["status"], item["action"]["query"]) == (status, "q")


def test_a_search_without_a_result_has_failed():
    (item,) = items({"type": "web_search"}, *search([])[:3])
    assert item["status"] == "failed"
