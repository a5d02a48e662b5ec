"""Anthropic's web search, from what OpenAI's dialects say of a search."""

from collections.abc import Mapping, Sequence

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
    allowed_domains: list[str] | None = None
    blocked_domains: list[str] | None = None


def web_search_tool(
    size: str | None,
    location: Mapping[str, str | None] | None = None,
    *,
    allowed: Sequence[str] | None = None,
    blocked: Sequence[str] | None = None,
    max_uses: int | None = None,
    param: str,
) -> Raw:
    """The tool for a search of `size` (low, medium, high) near `location`: city, region, country, timezone.

    `allowed` and `blocked` are domains; upstream accepts only one of the lists. `max_uses` bounds the searches further.
    """
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
    if allowed and blocked:
        raise InvalidRequest(
            "A search takes either allowed or blocked domains, not both.",
            param=f"{param}.filters",
            code="invalid_value",
        )
    uses = min(_USES[size], max_uses or _USES[size])
    # Called from code, which is the newer default, results come back without citations: hence "direct".
    tool = _SearchTool(
        "web_search_20260318", "web_search", ["direct"], uses, where, _domains(allowed), _domains(blocked)
    )
    return Raw(msgspec.json.encode(tool))


def _domains(names: Sequence[str] | None) -> list[str] | None:
    """Domains as upstream wants them, without a scheme."""
    return [name.partition("://")[2] or name for name in names] if names else None
