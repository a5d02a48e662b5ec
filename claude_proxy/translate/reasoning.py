"""How much the model thinks: a wish that any dialect expressed, applied as each model accepts it.

Source: Anthropic's "Adaptive thinking", "Extended thinking" and "Effort" pages.
"""

from dataclasses import dataclass

from claude_proxy.errors import InvalidRequest
from claude_proxy.translate.draft import Draft
from claude_proxy.translate.memory import ThinkingMemory, is_thinking, restore
from claude_proxy.translate.models import EFFORTS
from claude_proxy.wire import anthropic
from claude_proxy.wire.anthropic import OutputConfig, Thinking

WORDS = ("none", "minimal", *EFFORTS)
INTERLEAVED_BETA = "interleaved-thinking-2025-05-14"
MIN_BUDGET = 1024
MIN_ANSWER = 1024  # tokens kept for the answer beside a thinking budget, unless the client asked for fewer
# Budgets for models that know no effort; the figures that other adapters settled on.
_BUDGETS = {"low": 1024, "medium": 2048, "high": 4096, "xhigh": 8192, "max": 16384}


@dataclass
class ReasoningWish:
    """What the client asked for."""

    param: str = "reasoning_effort"
    effort: str | None = None  # one of EFFORTS
    budget: int | None = None  # in tokens
    on: bool | None = None  # None: the client did not say
    display: str | None = None  # Anthropic's `thinking.display`
    shown: bool = True  # False: the client wants no reasoning text in the reply

    def set_effort(self, word: str, *, param: str) -> None:
        """Take OpenAI's word for the effort, one of WORDS. Raises InvalidRequest for any other."""
        if word not in WORDS:
            raise InvalidRequest(
                f"Invalid value: '{word}'. Supported values are: {', '.join(repr(known) for known in WORDS)}.",
                param=param,
                code="invalid_value",
            )
        self.param = param
        self.on = word != "none"
        self.effort = None if word == "none" else "low" if word == "minimal" else word


def restore_thinking(draft: Draft, memory: ThinkingMemory | None, *, param: str) -> None:
    """Put the remembered thinking of earlier tool turns back; call this after the tools are finished."""
    if memory is not None and (turns := restore(draft.body, memory, binds=draft.model.binds_thinking)):
        draft.note("mapped", param, f"the thinking of {turns} earlier tool turn(s) was put back")


def drop_thinking(draft: Draft) -> None:
    """Leave all earlier thinking out. Every turn has something else as well."""
    for message in draft.body.messages:
        message.content = [block for block in message.content if not is_thinking(block)]


def apply_reasoning(draft: Draft, wish: ReasoningWish, *, without_thinking: bool = False) -> None:
    """Write `thinking` and the effort of the draft; `max_tokens` may grow by a thinking budget.

    Call this when `max_tokens`, the conversation and the tools are written. `without_thinking` is for the retry after
    upstream refused thinking: beside a forced tool it is then switched off even where the model's row says that the
    model does not think by itself.
    """
    draft.show_reasoning = wish.shown
    if _is_forced(draft) and draft.model.thinking:
        _apply_beside_forced_tool(draft, wish, without_thinking=without_thinking)
    elif "adaptive" in draft.model.thinking:
        _apply_adaptive(draft, wish)
    elif "enabled" in draft.model.thinking:
        _apply_budget(draft, wish)
    elif wish.on:
        draft.warn(wish.param, f"{draft.model.id} does not think")


def _is_forced(draft: Draft) -> bool:
    choice = draft.body.tool_choice
    return choice is not None and choice.type in ("any", "tool")


def _apply_beside_forced_tool(draft: Draft, wish: ReasoningWish, *, without_thinking: bool) -> None:
    """Send no thinking beside a forced tool: versions of the API refuse the pair. The effort stays.

    "Thinking may not be enabled when tool_choice forces tool use."
    """
    model = draft.model
    if wish.on and "disabled" in model.thinking:
        draft.warn(wish.param, f"{model.id} does not think when it is forced to call a tool")
    asked_or_by_itself = (wish.on is not None or model.thinks) and "adaptive" in model.thinking
    if "disabled" in model.thinking and (without_thinking or asked_or_by_itself):
        _switch_off(draft, wish)
    if wish.effort is not None:
        _set_effort(draft, wish.effort, wish.param)


def _apply_adaptive(draft: Draft, wish: ReasoningWish) -> None:
    model = draft.model
    if wish.budget is not None and wish.effort is None and wish.on:
        wish.effort = "low" if wish.budget <= MIN_BUDGET else "medium" if wish.budget <= 2 * MIN_BUDGET else "high"
        draft.note("changed", wish.param, f"{model.id} takes no thinking budget: effort '{wish.effort}' instead")
    if wish.on is False:
        _switch_off(draft, wish)
    elif wish.on or model.thinks:
        shown = draft.options.reasoning_text and draft.show_reasoning
        draft.body.thinking = Thinking("adaptive", display=wish.display or ("summarized" if shown else None))
    if wish.effort is not None:
        _set_effort(draft, wish.effort, wish.param)


def _switch_off(draft: Draft, wish: ReasoningWish) -> None:
    model = draft.model
    quiet = next((type_ for type_ in ("disabled", "between_tools") if type_ in model.thinking), None)
    if quiet is None:
        wish.effort = "low"
        draft.warn(wish.param, f"{model.id} always thinks; effort 'low' was asked for instead")
        return
    draft.body.thinking = Thinking(quiet)
    if model.disabled_up_to_high and wish.effort in ("xhigh", "max"):
        wish.effort = "high"
        draft.note("changed", wish.param, f"{model.id} takes at most effort 'high' when it does not think")


def _set_effort(draft: Draft, effort: str, param: str) -> None:
    levels = draft.model.efforts
    if not levels:
        return
    if effort not in levels:
        wanted, effort = effort, "max" if effort == "xhigh" and "max" in levels else levels[-1]
        draft.note("changed", param, f"{draft.model.id} has no effort '{wanted}': '{effort}' instead")
    config = draft.body.output_config or OutputConfig()
    config.effort = effort
    draft.body.output_config = config


def _apply_budget(draft: Draft, wish: ReasoningWish) -> None:
    """For models without adaptive thinking: a budget inside `max_tokens`, and several things that exclude it."""
    if wish.effort is not None:
        _set_effort(draft, wish.effort, wish.param)
    if not wish.on:
        return
    reason = _no_budget_because(draft)
    if reason is not None:
        draft.warn(wish.param, f"{reason}, so the model answers without thinking")
        return
    budget = _fitted_budget(draft, wish)
    draft.body.thinking = Thinking("enabled", budget_tokens=budget, display=wish.display)
    if draft.body.tools and draft.model.line != "haiku":
        draft.add_beta(INTERLEAVED_BETA)


def _fitted_budget(draft: Draft, wish: ReasoningWish) -> int:
    """The thinking budget. It counts in `max_tokens`, which is raised if the budget leaves no room for the answer."""
    budget = wanted = max(MIN_BUDGET, wish.budget or _BUDGETS[wish.effort or "medium"])
    answer = draft.body.max_tokens
    total = min(answer + budget, _most_tokens(draft)) if budget >= answer else answer
    room = min(answer, max(MIN_ANSWER, total // 4))
    if budget >= answer:
        budget = max(MIN_BUDGET, min(budget, total - room))
    if total > answer:
        draft.body.max_tokens = total
        draft.note("changed", "max_tokens", f"raised to {total}: the thinking budget of {budget} tokens counts in it")
    if budget < wanted:
        draft.note("changed", wish.param, f"the thinking budget is {budget} tokens, to leave room for the answer")
    return budget


def _most_tokens(draft: Draft) -> int:
    limit, cap = draft.model.max_tokens, draft.options.max_tokens
    return min(limit, cap) if cap else limit


def _no_budget_because(draft: Draft) -> str | None:
    if _loop_without_thinking(draft.body.messages):
        return f"{draft.model.id} wants its earlier thinking back in a tool turn, and the history has none"
    if _most_tokens(draft) < MIN_BUDGET + min(MIN_ANSWER, draft.body.max_tokens):
        return f"answers are bounded to {_most_tokens(draft)} tokens, which is too short to think in"
    return None


def _loop_without_thinking(messages: list[anthropic.Message]) -> bool:
    """Whether the conversation stands within a tool turn whose assistant message does not begin with thinking."""
    if not any(isinstance(block, anthropic.ToolResultBlock) for block in messages[-1].content):
        return False
    assistant = next((message for message in reversed(messages) if message.role == "assistant"), None)
    return assistant is not None and not is_thinking(assistant.content[0])
