"""Limits and sampling: `max_tokens`, temperature, top_p, top_k and stop texts, as the model accepts them.

Sampling depends on whether the model thinks, and top_p on the temperature: call `apply_reasoning` first, then
`set_temperature` before `set_top_p`. Source: Anthropic's "Messages API" and "Extended thinking" pages.
"""

from collections.abc import Iterable

from claude_proxy.errors import InvalidRequest
from claude_proxy.translate.draft import Draft


def set_max_tokens(draft: Draft, value: int | None, *, param: str) -> None:
    """Bound the reply to `value` tokens; None means as many as the model and the settings allow."""
    limit, cap = draft.model.max_tokens, draft.options.max_tokens
    if value is None:
        draft.body.max_tokens = min(limit, cap) if cap else limit
        return
    if value <= 0:
        raise InvalidRequest(
            f"Invalid value for '{param}': {value} is below the minimum of 1.", param=param, code="invalid_value"
        )
    if cap and value > cap:
        draft.warn(param, f"{value} is above the configured bound: {cap} instead")
        value = cap
    if value > limit:
        draft.warn(param, f"{value} is above what {draft.model.id} can answer: {limit} instead")
        value = limit
    draft.body.max_tokens = value


def set_temperature(draft: Draft, value: float | None, *, param: str = "temperature") -> None:
    """Set OpenAI's temperature of 0 to 2 where the model takes one. 1 is the default of both APIs."""
    if value is None:
        return
    if not 0 <= value <= 2:
        raise InvalidRequest(f"Invalid '{param}': {value} is not between 0 and 2.", param=param, code="invalid_value")
    if value == 1:
        return
    if not draft.model.sampling:
        draft.warn(param, f"{draft.model.id} takes no temperature")
    elif _thinks(draft):
        draft.warn(param, "a model that thinks takes no temperature")
    else:
        draft.body.temperature = min(value, 1.0)
        if value > 1:
            draft.note("changed", param, f"{value:g} was sent as 1, the most that Claude takes")


def set_top_p(draft: Draft, value: float | None, *, param: str = "top_p") -> None:
    if value is None:
        return
    if not 0 <= value <= 1:
        raise InvalidRequest(f"Invalid '{param}': {value} is not between 0 and 1.", param=param, code="invalid_value")
    if value == 1:
        return
    if not draft.model.sampling:
        draft.warn(param, f"{draft.model.id} takes no top_p")
    elif draft.body.temperature is not None:
        draft.warn(param, f"{draft.model.id} takes temperature or top_p, not both; temperature was sent")
    elif _thinks(draft) and value < 0.95:
        draft.warn(param, "a model that thinks takes top_p only from 0.95 up")
    else:
        draft.body.top_p = value


def set_top_k(draft: Draft, value: int | None, *, param: str = "top_k") -> None:
    if value is None or value <= 0:
        return
    if draft.model.sampling and not _thinks(draft):
        draft.body.top_k = value
    else:
        draft.warn(param, f"{draft.model.id} takes no top_k here")


def set_stop(draft: Draft, texts: Iterable[str | None], *, param: str = "stop") -> None:
    """Set the stop texts. Upstream refuses texts of white space only; the reply is searched for those here."""
    given = [text for text in texts if text]
    if not given:
        return
    draft.stops = tuple(text for text in given if not text.strip())
    if draft.stops:
        draft.note("emulated", param, "upstream refuses blank stop texts; the reply is searched for them here")
    draft.body.stop_sequences = [text for text in given if text.strip()] or None


def _thinks(draft: Draft) -> bool:
    thinking = draft.body.thinking
    return draft.model.thinks if thinking is None else getattr(thinking, "type", "") in ("adaptive", "enabled")
