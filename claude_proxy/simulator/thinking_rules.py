"""Rules for thinking: types and effort a model accepts, and unchanged thinking blocks in the history."""

import dataclasses
from typing import Any

from claude_proxy.simulator.api_error import invalid
from claude_proxy.simulator.conversation_rules import turns
from claude_proxy.simulator.model_table import CAPPED_WITHOUT_THINKING
from claude_proxy.simulator.signatures import THINKING, Prefix, SignedBlock, read_signature, same_model, same_text
from claude_proxy.simulator.valid_request import Block, Request, blocks

_DOCS = "https://docs.claude.com/en/docs/build-with-claude/extended-thinking"
_REFUSED = {
    "enabled": '"thinking.type.enabled" is not supported for this model. Use "thinking.type.adaptive" and '
    '"output_config.effort" to control thinking behavior.',
    "adaptive": "adaptive thinking is not supported on this model",
    "disabled": '"thinking.type.disabled" is not supported for this model. Thinking defaults to adaptive mode when '
    'not specified; use "thinking.type.enabled" with "budget_tokens" for extended thinking.',
    "between_tools": '"thinking.type.between_tools" is not supported for this model.',
}
_MODIFIED = (
    "`thinking` or `redacted_thinking` blocks in the latest assistant message cannot be modified. "
    "These blocks must remain as they were in the original response."
)
_BOUND = (
    "The block is bound to a different conversation. Remove the block, or set "
    '`thinking.block_binding.prefix_mismatch_behavior` to "drop_block". That setting requires the '
    "`thinking-binding-controls-2026-08-01` value in the `anthropic-beta` header."
)


def check(request: Request) -> None:
    """Checks the settings; `check_blocks` checks the blocks."""
    thinking = request.body.get("thinking") or {}
    kind = thinking.get("type")
    if kind is not None and kind not in request.model.thinking:
        raise invalid(_REFUSED[kind])
    if kind == "enabled" and "max_tokens" in request.body and thinking["budget_tokens"] >= request.body["max_tokens"]:
        raise invalid(
            "`max_tokens` must be greater than `thinking.budget_tokens`. Please consult our documentation at "
            f"{_DOCS}#max-tokens-and-context-window-size"
        )
    _effort(request, kind)
    if kind == "enabled":
        _starts_with_thinking(request)


def _effort(request: Request, kind: str | None) -> None:
    effort = (request.body.get("output_config") or {}).get("effort")
    if effort is None:
        return
    levels = request.model.efforts
    if not levels:
        raise invalid("This model does not support the effort parameter.")
    if effort not in levels:
        known = ", ".join(sorted(levels))
        raise invalid(f"This model does not support effort level '{effort}'. Supported levels: {known}.")
    off = kind in {"disabled", "between_tools"}
    if off and request.model.id in CAPPED_WITHOUT_THINKING and effort in {"xhigh", "max"}:
        raise invalid(
            f"output_config.effort '{effort}' is not supported when thinking is disabled on this model. "
            "Use effort 'high' or below, or enable thinking."
        )


def _starts_with_thinking(request: Request) -> None:
    """With `enabled`, the assistant turn before the final tool results must start with a thinking block."""
    rows = list(turns(request))
    if len(rows) < 2 or rows[-1][0] != "user" or not any(block["type"] == "tool_result" for *_, block in rows[-1][1]):
        return
    number, index, first = rows[-2][1][0]
    if first["type"] not in THINKING:
        raise invalid(
            f"messages.{number}.content.{index}.type: Expected `thinking` or `redacted_thinking`, but found "
            f"`{first['type']}`. When `thinking` is enabled, a final `assistant` message must start with a thinking "
            "block (preceeding the lastmost set of `tool_use` and `tool_result` blocks). We recommend you include "
            "thinking blocks from previous turns. To avoid this requirement, disable `thinking`. Please consult our "
            f"documentation at {_DOCS}"
        )


def check_blocks(request: Request) -> Request:
    """The request without dropped thinking blocks, which are listed in its `dropped`.

    Raises for a block that was changed, was made by another model or stood in another conversation.
    """
    prefix = Prefix(request.body)
    latest = max((n for n, message in enumerate(request.messages) if message["role"] == "assistant"), default=-1)
    kept: list[dict[str, Any]] = []
    for number, message in enumerate(request.messages):
        content: list[Block] = []
        for index, block in enumerate(blocks(message)):
            param = f"messages.{number}.content.{index}"
            if block["type"] in THINKING:
                leading = all(one["type"] in THINKING for one in blocks(message)[:index])
                problem = _problem(request, block, prefix.digest(), leading=leading, latest=number == latest)
                if problem and not _drop(request, param, problem):
                    raise invalid(f"{param}: {problem}")
                if problem:
                    continue
            prefix.feed(message["role"], block)
            content.append(block)
        kept.append(message | {"content": content})
    if not request.dropped:
        return request
    return dataclasses.replace(request, body=request.body | {"messages": kept})


def _problem(request: Request, block: Block, prefix: bytes, *, leading: bool, latest: bool) -> str | None:
    """Why a thinking block is invalid; None if it is valid."""
    field = "signature" if block["type"] == "thinking" else "data"
    wrong = f"Invalid `{field}` in `{block['type']}` block"
    signed = read_signature(block)
    if signed is None or not same_model(signed, request.model.id):
        return wrong
    if not _is_unchanged(signed, block, leading=leading):
        return _MODIFIED if latest else wrong
    if request.model.binds and signed.prefix != prefix:
        return f"{wrong}. {_BOUND}"
    return None


def _is_unchanged(signed: SignedBlock, block: Block, *, leading: bool) -> bool:
    if signed.leading and not leading:
        return False
    return block["type"] == "redacted_thinking" or same_text(signed, block["thinking"])


def _drop(request: Request, param: str, problem: str) -> bool:
    """Whether the request allows to drop this block, which is bound to another conversation; records it if so."""
    binding = (request.body.get("thinking") or {}).get("block_binding") or {}
    if not problem.endswith(_BOUND) or binding.get("prefix_mismatch_behavior") != "drop_block":
        return False
    request.dropped.append({"type": "thinking_dropped", "path": param, "reason": "prefix_binding_mismatch"})
    return True
