"""What a chat request says about reasoning: OpenAI's word, and the fields of compatible services."""

from claude_proxy.errors import InvalidRequest
from claude_proxy.translate.reasoning import ReasoningWish
from claude_proxy.wire import chat_request as chat

TYPES = ("adaptive", "enabled", "disabled", "between_tools")
DISPLAYS = ("summarized", "omitted")


def reasoning_wish(request: chat.ChatRequest) -> ReasoningWish:
    """The client's wish; a later one overrides: effort, OpenRouter's object, the switch, Anthropic's own field."""
    wish = ReasoningWish()
    nested = request.extra_body or chat.ExtraBody()
    if (word := request.reasoning_effort or nested.reasoning_effort) is not None:
        wish.set_effort(word, param="reasoning_effort")
    if request.reasoning is not None:
        _read_openrouter(wish, request.reasoning)
    switch = nested.enable_thinking if request.enable_thinking is None else request.enable_thinking
    if switch is not None:
        wish.on, wish.param = switch, "enable_thinking"
    if (option := request.thinking or nested.thinking) is not None:
        _read_thinking(wish, option)
    return wish


def _read_openrouter(wish: ReasoningWish, reasoning: chat.Reasoning) -> None:
    wish.param = "reasoning"
    if reasoning.effort is not None:
        wish.set_effort(reasoning.effort, param="reasoning.effort")
    if reasoning.max_tokens is not None:
        wish.budget, wish.on = reasoning.max_tokens, reasoning.max_tokens > 0
    if reasoning.enabled is not None:
        wish.on = reasoning.enabled
    if reasoning.exclude:
        wish.shown = False


def _read_thinking(wish: ReasoningWish, option: chat.ThinkingOption) -> None:
    for name, value, known in (("type", option.type, TYPES), ("display", option.display, (None, *DISPLAYS))):
        if value not in known:
            raise InvalidRequest(
                f"Invalid value: '{value}'. Supported values are: {', '.join(repr(word) for word in known if word)}.",
                param=f"thinking.{name}",
                code="invalid_value",
            )
    wish.param = "thinking"
    wish.on = option.type in ("adaptive", "enabled")
    wish.budget, wish.display = option.budget_tokens, option.display
