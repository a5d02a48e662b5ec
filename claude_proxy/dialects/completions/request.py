"""A legacy completion request as Messages requests, one for each prompt.

Claude answers messages and does not continue texts: the prompt is sent as the user's message, behind one fixed
sentence that asks for its continuation.
"""

import msgspec
from msgspec import Struct

from claude_proxy.dialects.chat.context import ChatReplyContext, ChatTranslation
from claude_proxy.errors import InvalidRequest
from claude_proxy.options import Options
from claude_proxy.translate.caching import set_caching
from claude_proxy.translate.content import text_blocks
from claude_proxy.translate.conversation import Conversation
from claude_proxy.translate.draft import Draft
from claude_proxy.translate.encoding import encode_request
from claude_proxy.translate.metadata import set_user
from claude_proxy.translate.models import Model
from claude_proxy.translate.reasoning import ReasoningWish, apply_reasoning
from claude_proxy.translate.sampling import set_max_tokens, set_stop, set_temperature, set_top_p
from claude_proxy.wire.completions_request import CompletionsRequest, StreamOptions
from claude_proxy.wire.decoding import NULL, decode

MAX_REQUESTS = 32  # that one completion request may become
SENTENCE = "Continue the user's text. Reply with the continuation only: do not repeat the text or comment on it."

_read_prompt = msgspec.json.Decoder(str | list[str | int | list[int]]).decode


class PromptTranslation(ChatTranslation, frozen=True, kw_only=True):
    """The Messages request of one prompt."""

    echo: str = ""  # what stands before the answer


class _Prompt(Struct, frozen=True):
    text: str
    param: str


def to_messages_requests(
    request: CompletionsRequest, unknown: frozenset[str], *, model: Model, options: Options
) -> tuple[PromptTranslation, ...]:
    """A Messages request to `model` for each prompt of `request`.

    `unknown` are the paths of fields that `request` does not have. Raises InvalidRequest whose `param` is the path of
    the fault.
    """
    prompts = _prompts(request)
    _refuse(request)
    most = options.max_choices
    n = 1 if request.n is None else request.n
    if not 1 <= n <= most:
        raise InvalidRequest(f"Invalid 'n': {n} is not between 1 and {most}.", param="n", code="invalid_value")
    if len(prompts) * n > MAX_REQUESTS:
        raise InvalidRequest(
            f"Too many prompts: each choice of each prompt is a request of its own, and {MAX_REQUESTS} are the most.",
            param="prompt",
            code="invalid_value",
        )
    return tuple(_translation(request, unknown, prompt, n, model=model, options=options) for prompt in prompts)


def _prompts(request: CompletionsRequest) -> list[_Prompt]:
    if request.prompt == NULL:
        raise InvalidRequest("Missing required parameter: 'prompt'.", param="prompt", code="missing_required_parameter")
    given = decode(_read_prompt, request.prompt, "prompt")
    if isinstance(given, str):
        return [_Prompt(given, "prompt")]
    if not given:
        raise InvalidRequest("Invalid 'prompt': the list is empty.", param="prompt", code="invalid_value")
    prompts = [_Prompt(text, f"prompt[{index}]") for index, text in enumerate(given) if isinstance(text, str)]
    if len(prompts) < len(given):
        raise InvalidRequest(
            "A prompt of tokens cannot be read: they are of OpenAI's tokenizer. Send the text.",
            param="prompt",
            code="unsupported_value",
        )
    return prompts


def _refuse(request: CompletionsRequest) -> None:
    if request.suffix:
        raise InvalidRequest(
            "Claude cannot fill in text before a suffix; put the whole task into the prompt.",
            param="suffix",
            code="unsupported_parameter",
        )
    if request.best_of is not None and request.best_of > 1:
        raise InvalidRequest(
            "'best_of' needs the probabilities of the answers, which the Messages API does not give; use 'n'.",
            param="best_of",
            code="unsupported_parameter",
        )


def _translation(
    request: CompletionsRequest, unknown: frozenset[str], prompt: _Prompt, n: int, *, model: Model, options: Options
) -> PromptTranslation:
    draft = Draft.begin(model, options)
    for path in sorted(unknown):
        draft.warn(path, "no such parameter is known here")
    set_max_tokens(draft, request.max_tokens, param="max_tokens")
    conversation = Conversation(draft, param=prompt.param)
    conversation.add_user(text_blocks(prompt.text))
    conversation.finish()
    draft.add_system(SENTENCE)
    draft.note("emulated", prompt.param, "sent as a message, with a sentence that asks for its continuation")
    apply_reasoning(draft, ReasoningWish(param="model", shown=False))
    set_temperature(draft, request.temperature)
    set_top_p(draft, request.top_p)
    set_stop(draft, [request.stop] if isinstance(request.stop, str) else request.stop or [])
    set_user(draft, request.user)
    if n > 1:
        draft.note("emulated", "n", f"{n} requests are sent; their usage is summed")
    _warn_of_ignored(draft, request)
    set_caching(draft, param=prompt.param)
    stream_options = request.stream_options or StreamOptions()
    return PromptTranslation(
        body=encode_request(draft, request.anthropic),
        model=draft.model,
        choices=n,
        betas=tuple(draft.betas),
        notes=tuple(draft.notes),
        reply=ChatReplyContext(
            model=request.model if draft.model.instead_of is None else draft.model.id,
            include_usage=bool(stream_options.include_usage),
            stops=draft.stops,
            server_tools=draft.server_tools,
            show_reasoning=False,
        ),
        prefix=b"",
        echo=prompt.text if request.echo else "",
    )


def _warn_of_ignored(draft: Draft, request: CompletionsRequest) -> None:
    """Warn of each parameter that the Messages API has nothing for; values that ask for nothing pass in silence."""
    if request.logprobs is not None:
        draft.warn("logprobs", "the Messages API gives no probabilities")
    if request.frequency_penalty:
        draft.warn("frequency_penalty", "the Messages API has no penalties")
    if request.presence_penalty:
        draft.warn("presence_penalty", "the Messages API has no penalties")
    if request.logit_bias:
        draft.warn("logit_bias", "the Messages API has no token biases")
    if request.seed is not None:
        draft.warn("seed", "the Messages API has no seed")
