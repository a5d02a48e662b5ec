"""Each content block: what it may hold, beyond what test_sdk_types compares with the SDK."""

from typing import Any

import pytest

from claude_proxy.simulator.api_error import ApiError
from claude_proxy.simulator.block_validators import BLOCK, CACHE_CONTROL, CITATION, CONTENT

NONE: frozenset[str] = frozenset()
URL = {"type": "url", "url": "https://example.com/x"}


@pytest.mark.parametrize(
    "block",
    [
        {"type": "text", "text": "a", "citations": None, "cache_control": None},
        {"type": "image", "source": URL, "transformations": {"oversized_image": "downsize"}},
        {"type": "document", "source": URL, "title": None, "citations": {"enabled": True}},
        {"type": "document", "source": {"type": "content", "content": "a"}},
        {"type": "tool_use", "id": "a", "name": "t", "input": {}, "caller": {"type": "direct"}},
        {"type": "tool_result", "tool_use_id": "a"},
        {"type": "tool_result", "tool_use_id": "a", "content": [{"type": "tool_reference", "tool_name": "t"}]},
        {"type": "server_tool_use", "id": "a", "name": "tool_search_tool_bm25", "input": {}},
        {"type": "web_search_tool_result", "tool_use_id": "a", "content": {"type": "error", "error_code": "x"}},
        {"type": "redacted_thinking", "data": "x"},
    ],
)
def test_a_block_is_accepted(block: dict[str, Any]):
    BLOCK.check(block, "p", NONE)


@pytest.mark.parametrize(
    ("block", "text"),
    [
        ({"type": "image", "source": {"type": "file"}}, "p.image.source.file.file_id: Field required"),
        (
            {"type": "tool_use", "id": "", "name": "t", "input": {}},
            "p.tool_use.id: String should match pattern '^[a-zA-Z0-9_-]+$'",
        ),
        (
            {"type": "tool_use", "id": "a", "name": "x" * 201, "input": {}},
            "p.tool_use.name: String should have at most 200 characters",
        ),
        ({"type": "thinking", "thinking": "a"}, "p.thinking.signature: Field required"),
        ({"type": "redacted_thinking"}, "p.redacted_thinking.data: Field required"),
        ({"type": "redacted_thinking", "data": None}, "p.redacted_thinking.data: Input should be a valid string"),
        (
            {"type": "document", "source": {"type": "base64", "media_type": "text/csv", "data": ""}},
            "p.document.source.base64.media_type: Input should be 'application/pdf'",
        ),
    ],
)
def test_a_block_is_refused_with_its_param(block: dict[str, Any], text: str):
    with pytest.raises(ApiError) as refusal:
        BLOCK.check(block, "p", NONE)
    assert refusal.value.message == text


def test_content_is_text_or_blocks():
    CONTENT.check("text", "p", NONE)
    CONTENT.check([{"type": "text", "text": "a"}], "p", NONE)
    with pytest.raises(ApiError, match="p: Input should be a valid list"):
        CONTENT.check(None, "p", NONE)


def test_cache_control_has_two_lifetimes():
    CACHE_CONTROL.check({"type": "ephemeral", "ttl": "1h"}, "p", NONE)
    with pytest.raises(ApiError, match=r"p\.ephemeral\.ttl: Input should be '5m' or '1h'"):
        CACHE_CONTROL.check({"type": "ephemeral", "ttl": "24h"}, "p", NONE)


def test_a_citation_names_its_range():
    place = {"cited_text": "a", "document_index": 0, "document_title": None}
    CITATION.check({"type": "char_location", "start_char_index": 0, "end_char_index": 1} | place, "p", NONE)
    with pytest.raises(ApiError, match=r"start_page_number: Input should be greater than or equal to 1"):
        CITATION.check({"type": "page_location", "start_page_number": 0, "end_page_number": 1} | place, "p", NONE)


def test_a_betas_block_is_unknown_without_it():
    block = {"type": "mcp_tool_use", "id": "a", "name": "t", "server_name": "s", "input": {}}
    BLOCK.check(block, "p", frozenset({"mcp-client-2025-11-20"}))
    with pytest.raises(ApiError, match="Input tag 'mcp_tool_use' found"):
        BLOCK.check(block, "p", NONE)
