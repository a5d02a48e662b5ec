"""Validators of whole requests: every field of POST /v1/messages and of count_tokens."""

from collections.abc import Mapping
from typing import Any

from claude_proxy.simulator.api_error import invalid
from claude_proxy.simulator.beta_validators import CONTEXT_EDIT, MCP_SERVER, SKILL
from claude_proxy.simulator.block_validators import CACHE_CONTROL, CONTENT, TEXT, TEXT_BLOCK, literal, tagged
from claude_proxy.simulator.model_table import EFFORTS
from claude_proxy.simulator.tool_validators import TOOL, TOOL_CHOICE
from claude_proxy.simulator.validators import (
    BetaOnly,
    Boolean,
    Dictionary,
    ListOf,
    Nullable,
    Number,
    Object,
    OneOf,
    TaggedUnion,
    Text,
    TextOr,
    Validator,
    integer,
)

_BINDING = ("thinking-binding-controls-2026-08-01",)
_FALLBACK = ("server-side-fallback-2026-06-01", "server-side-fallback-2026-07-01")
_CREDIT = ("fallback-credit-2026-06-01", "fallback-credit-2026-07-01")
_MCP = ("mcp-client-2025-04-04", "mcp-client-2025-11-20", "mcp-client-2026-09-15")


class _Display:
    """`thinking.display`; the value `updates` needs its beta."""

    _ga = OneOf(("summarized", "omitted"))
    _beta = OneOf(("summarized", "omitted", "updates"))

    def check(self, value: object, param: str, betas: frozenset[str]) -> None:
        (self._beta if "thinking-display-updates-2026-08-18" in betas else self._ga).check(value, param, betas)


_SHOWN: Mapping[str, Validator] = {
    "display": Nullable(_Display()),
    "block_binding": BetaOnly(
        _BINDING, Nullable(Object(optional={"prefix_mismatch_behavior": Nullable(OneOf(("error", "drop_block")))}))
    ),
}
THINKING = TaggedUnion(
    {
        "adaptive": tagged("adaptive", {}, _SHOWN),
        "between_tools": tagged("between_tools", {}),
        "disabled": tagged("disabled", {}),
        "enabled": tagged("enabled", {"budget_tokens": integer(1024)}, _SHOWN),
    }
)

_EFFORT = Nullable(OneOf(EFFORTS))
OUTPUT_CONFIG = Object(
    optional={
        "effort": _EFFORT,
        "format": Nullable(
            TaggedUnion({"json_schema": tagged("json_schema", {"schema": Dictionary()})}, hide_tag=True)
        ),
        "task_budget": BetaOnly(
            ("task-budgets-2026-03-13",),
            Nullable(Object({"type": literal("tokens"), "total": integer(1)}, {"remaining": Nullable(integer(0))})),
        ),
    }
)

_TOOL_CHANGES = ("mid-conversation-tool-changes-2026-07-01",)
SYSTEM_CONTENT = TextOr(
    ListOf(
        TaggedUnion(
            {"text": TEXT_BLOCK, "tool_addition": Dictionary(), "tool_removal": Dictionary()},
            betas={"tool_addition": _TOOL_CHANGES, "tool_removal": _TOOL_CHANGES},
        )
    )
)
_MESSAGE = Object({"role": TEXT, "content": CONTENT})
_BY_ROLE = TaggedUnion(
    {
        "user": _MESSAGE,
        "assistant": _MESSAGE,
        "system": Object(
            {"role": TEXT, "content": SYSTEM_CONTENT},
            {
                "clear_at": BetaOnly(
                    ("mid-conversation-system-clear-at-2026-08-21",), Nullable(OneOf(("next_user_message", "never")))
                ),
                "output_config": BetaOnly(
                    ("mid-conversation-output-config-2026-07-01",), Nullable(Object(optional={"effort": _EFFORT}))
                ),
            },
        ),
    },
    tag="role",
    hide_tag=True,
)


class _Message:
    """A message, by its role; an unknown role has its own error message."""

    def check(self, value: Any, param: str, betas: frozenset[str]) -> None:
        role = value.get("role") if isinstance(value, dict) else None
        if role is not None and role not in tuple(_BY_ROLE.variants):  # a tuple, because the value may be unhashable
            raise invalid(f'messages: Unexpected role "{role}". Allowed roles are "user" or "assistant"')
        _BY_ROLE.check(value, param, betas)


_SPEED = Nullable(OneOf(("standard", "fast")))
FALLBACK = Object(
    {"model": Text(shortest=1)},
    {
        "max_tokens": Nullable(integer(0)),
        "output_config": Nullable(OUTPUT_CONFIG),
        "speed": _SPEED,
        "thinking": Nullable(THINKING),
    },
)

COUNTED = Object(
    {"model": Text(shortest=1), "messages": ListOf(_Message(), longest=100_000)},
    {
        "cache_control": CACHE_CONTROL,
        "output_config": OUTPUT_CONFIG,
        "speed": _SPEED,
        "system": TextOr(ListOf(TaggedUnion({"text": TEXT_BLOCK}))),
        "thinking": THINKING,
        "tool_choice": TOOL_CHOICE,
        "tools": ListOf(TOOL),
        # betas
        "billing_policy": BetaOnly(
            ("user-profiles-billing-2026-10-01",),
            Nullable(tagged("billing_policy", {}, {"bill_to": OneOf(("self", "user_profile"))})),
        ),
        "compaction": BetaOnly(("compact-2026-09-04",), Nullable(Dictionary())),
        "context_management": BetaOnly(
            ("context-management-2025-06-27", "compact-2026-01-12"),
            Nullable(Object(optional={"edits": ListOf(CONTEXT_EDIT)})),
        ),
        "mcp_servers": BetaOnly(_MCP, ListOf(MCP_SERVER)),
    },
)

CREATED = Object(
    {**COUNTED.required, "max_tokens": integer(0)},
    {
        **COUNTED.optional,
        "container": Nullable(TextOr(Object(optional={"id": Nullable(TEXT), "skills": Nullable(ListOf(SKILL))}))),
        "diagnostics": Nullable(Object(optional={"previous_message_id": Nullable(TEXT)})),
        "inference_geo": Nullable(TEXT),
        "metadata": Object(optional={"user_id": Nullable(Text(longest=256))}),
        "service_tier": OneOf(("auto", "standard_only")),
        "stop_sequences": ListOf(TEXT),
        "stream": Boolean(),
        "temperature": Number(0, 1),
        "top_k": integer(0),
        "top_p": Number(0, 1),
        # betas
        "fallback_credit_token": BetaOnly(_CREDIT, Nullable(TextOr(Dictionary()))),
        "fallbacks": BetaOnly(_FALLBACK, Nullable(TextOr(ListOf(FALLBACK, longest=3), Text(pattern="^default$")))),
        "thread": BetaOnly(("message-threads-2026-08-12",), Nullable(Dictionary())),
    },
)

SAMPLING = ("temperature", "top_p", "top_k")
# The newer API version has no sampling parameters, for any model.
CREATED_NEWER = CREATED.without(*SAMPLING)
