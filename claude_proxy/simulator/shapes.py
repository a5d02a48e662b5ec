"""The shapes of whole requests: every field of POST /v1/messages and of count_tokens, and what each may hold."""

from collections.abc import Mapping
from typing import Any

from claude_proxy.simulator.apierror import invalid
from claude_proxy.simulator.blocks import CACHE_CONTROL, CONTENT, TEXT, TEXT_BLOCK, block, kind
from claude_proxy.simulator.models import EFFORTS
from claude_proxy.simulator.shape import (
    Beta,
    Boolean,
    Dictionary,
    Either,
    ListOf,
    Null,
    Number,
    Object,
    OneOf,
    Shape,
    Tagged,
    Text,
    integer,
)
from claude_proxy.simulator.tool_shapes import TOOL, TOOL_CHOICE

_BINDING = ("thinking-binding-controls-2026-08-01",)
_FALLBACK = ("server-side-fallback-2026-06-01", "server-side-fallback-2026-07-01")
_CREDIT = ("fallback-credit-2026-06-01", "fallback-credit-2026-07-01")
_MCP = ("mcp-client-2025-04-04", "mcp-client-2025-11-20", "mcp-client-2026-09-15")


class _Display:
    """How thinking is shown; `updates` only with its beta."""

    _ga = OneOf(("summarized", "omitted"))
    _beta = OneOf(("summarized", "omitted", "updates"))

    def check(self, value: object, at: str, betas: frozenset[str]) -> None:
        (self._beta if "thinking-display-updates-2026-08-18" in betas else self._ga).check(value, at, betas)


_SHOWN: Mapping[str, Shape] = {
    "display": Null(_Display()),
    "block_binding": Beta(
        _BINDING, Null(Object(optional={"prefix_mismatch_behavior": Null(OneOf(("error", "drop_block")))}))
    ),
}
THINKING = Tagged(
    {
        "adaptive": block("adaptive", {}, _SHOWN),
        "between_tools": block("between_tools", {}),
        "disabled": block("disabled", {}),
        "enabled": block("enabled", {"budget_tokens": integer(1024)}, _SHOWN),
    }
)

_EFFORT = Null(OneOf(EFFORTS))
OUTPUT_CONFIG = Object(
    optional={
        "effort": _EFFORT,
        "format": Null(Tagged({"json_schema": block("json_schema", {"schema": Dictionary()})}, silent=True)),
        "task_budget": Beta(
            ("task-budgets-2026-03-13",),
            Null(Object({"type": kind("tokens"), "total": integer(1)}, {"remaining": Null(integer(0))})),
        ),
    }
)

_TOOL_CHANGES = ("mid-conversation-tool-changes-2026-07-01",)
SYSTEM_CONTENT = Either(
    ListOf(
        Tagged(
            {"text": TEXT_BLOCK, "tool_addition": Dictionary(), "tool_removal": Dictionary()},
            betas={"tool_addition": _TOOL_CHANGES, "tool_removal": _TOOL_CHANGES},
        )
    )
)
_MESSAGE = Object({"role": TEXT, "content": CONTENT})
_BY_ROLE = Tagged(
    {
        "user": _MESSAGE,
        "assistant": _MESSAGE,
        "system": Object(
            {"role": TEXT, "content": SYSTEM_CONTENT},
            {
                "clear_at": Beta(
                    ("mid-conversation-system-clear-at-2026-08-21",), Null(OneOf(("next_user_message", "never")))
                ),
                "output_config": Beta(
                    ("mid-conversation-output-config-2026-07-01",), Null(Object(optional={"effort": _EFFORT}))
                ),
            },
        ),
    },
    tag="role",
    silent=True,
)


class _Message:
    """A message, by its role; an unknown role has a sentence of its own."""

    def check(self, value: Any, at: str, betas: frozenset[str]) -> None:
        role = value.get("role") if isinstance(value, dict) else None
        if role is not None and role not in tuple(_BY_ROLE.shapes):  # a tuple: whatever came may be no key
            raise invalid(f'messages: Unexpected role "{role}". Allowed roles are "user" or "assistant"')
        _BY_ROLE.check(value, at, betas)


COUNTED = Object(
    {"model": Text(shortest=1), "messages": ListOf(_Message(), longest=100_000)},
    {
        "cache_control": CACHE_CONTROL,
        "output_config": OUTPUT_CONFIG,
        "speed": Null(OneOf(("standard", "fast"))),
        "system": Either(ListOf(Tagged({"text": TEXT_BLOCK}))),
        "thinking": THINKING,
        "tool_choice": TOOL_CHOICE,
        "tools": ListOf(TOOL),
        # betas
        "billing_policy": Beta(("user-profiles-billing-2026-10-01",), Null(Dictionary())),
        "compaction": Beta(("compact-2026-09-04",), Null(Dictionary())),
        "context_management": Beta(
            ("context-management-2025-06-27", "compact-2026-01-12"),
            Null(Object(optional={"edits": ListOf(Dictionary())})),
        ),
        "mcp_servers": Beta(_MCP, ListOf(Dictionary())),
    },
)

CREATED = Object(
    {**COUNTED.required, "max_tokens": integer(0)},
    {
        **COUNTED.optional,
        "container": Null(Either(Object(optional={"id": Null(TEXT), "skills": Null(ListOf(Dictionary()))}))),
        "diagnostics": Null(Object(optional={"previous_message_id": Null(TEXT)})),
        "inference_geo": Null(TEXT),
        "metadata": Object(optional={"user_id": Null(Text(longest=256))}),
        "service_tier": OneOf(("auto", "standard_only")),
        "stop_sequences": ListOf(TEXT),
        "stream": Boolean(),
        "temperature": Number(0, 1),
        "top_k": integer(0),
        "top_p": Number(0, 1),
        # betas
        "fallback_credit_token": Beta(_CREDIT, Null(Either(Dictionary()))),
        "fallbacks": Beta(_FALLBACK, Null(Either(ListOf(Dictionary(), longest=3), Text(pattern="^default$")))),
        "thread": Beta(("message-threads-2026-08-12",), Null(Dictionary())),
    },
)

SAMPLING = ("temperature", "top_p", "top_k")
# The newer version of the API knows no sampling parameters, for any model.
CREATED_NEWER = CREATED.without(*SAMPLING)
