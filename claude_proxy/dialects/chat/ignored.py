"""Chat's parameters that have no effect: a warning for each that asks for something."""

from collections.abc import Iterable

from claude_proxy.translate.draft import Draft
from claude_proxy.wire.chat_request import ChatRequest
from claude_proxy.wire.decoding import NULL


def warn_of_unknown(draft: Draft, paths: Iterable[str]) -> None:
    for path in sorted(paths):
        draft.warn(path, "no such parameter is known here")


def warn_of_ignored(draft: Draft, request: ChatRequest) -> None:
    """Warn of each parameter that the Messages API has nothing for; values that ask for nothing pass in silence."""
    if beyond := [name for name in request.modalities or () if name != "text"]:
        draft.warn("modalities", f"Claude answers in text only, not in {' and '.join(beyond)}")
    if request.frequency_penalty:
        draft.warn("frequency_penalty", "the Messages API has no penalties")
    if request.presence_penalty:
        draft.warn("presence_penalty", "the Messages API has no penalties")
    if request.logit_bias:
        draft.warn("logit_bias", "the Messages API has no token biases")
    if request.logprobs:
        draft.warn("logprobs", "the Messages API gives no probabilities")
    if request.top_logprobs:
        draft.warn("top_logprobs", "the Messages API gives no probabilities")
    if request.seed is not None:
        draft.warn("seed", "the Messages API has no seed")
    if request.store:
        draft.warn("store", "nothing is stored here")
    if request.prediction != NULL:
        draft.warn("prediction", "the Messages API takes no predicted output; the answer is the same without")
    if request.moderation != NULL:
        draft.warn("moderation", "the Messages API has no moderation to configure")
