"""Anthropic's web search, from what OpenAI's dialects say of a search."""

from collections.abc import Mapping

import msgspec
from msgspec import Raw

from claude_proxy.errors import InvalidRequest

_USES = {"low": 1, "medium": 5, "high": 10}  # searches per request, by OpenAI's context size


class _SearchTool(msgspec.Struct, omit_defaults=True):
    type: str
    name: str
    allowed_callers: list[str]
    max_uses: int
    user_location: dict[str, str] | None = None


def web_search_tool(size: str | None, location: Mapping[str, str | None] | None, *, param: str) -> Raw:
    """The tool for a search of `size` (low, medium, high) near `location`: city, region, country, timezone."""
    size = size or "medium"
    if size not in _USES:
        raise InvalidRequest(
            f"Invalid value: '{size}'. Supported values are: 'low', 'medium', and 'high'.",
            param=f"{param}.search_context_size",
            code="invalid_value",
        )
    where = None
    if location is not None:
        where = {"type": "approximate", **{key: value for key, value in location.items() if value}}
    # Called from code, which is the newer default, results come back without citations: hence "direct".
    return Raw(msgspec.json.encode(_SearchTool("web_search_20260318", "web_search", ["direct"], _USES[size], where)))
