"""An answer as one OpenAI completion: the same reading of the same events as the stream, folded."""

import msgspec
from msgspec import UNSET

from claude_proxy.dialects.chat.context import ChatReplyContext
from claude_proxy.dialects.chat.pieces import (
    CallInput,
    CallStarted,
    Cited,
    Finished,
    Piece,
    Reasoning,
    Run,
    Started,
    Text,
)
from claude_proxy.dialects.chat.reading import ReplyReader
from claude_proxy.wire.anthropic import Usage, summed
from claude_proxy.wire.chat_reply import (
    Annotation,
    AnsweredCall,
    AnsweredCustom,
    AnsweredFunction,
    AnsweredMessage,
    ChatCompletion,
    Choice,
    CompletionTokensDetails,
    CompletionUsage,
    PromptTokensDetails,
)

_TIERS = {"standard": "default", "priority": "priority", "batch": "default"}


def completion_usage(usage: Usage) -> CompletionUsage:
    """Upstream's counters as OpenAI's: the prompt counts what was read from and written to the cache, once."""
    read = usage.cache_read_input_tokens or 0
    written = usage.cache_creation_input_tokens or 0
    prompt = (usage.input_tokens or 0) + read + written
    output = usage.output_tokens or 0
    details = usage.output_tokens_details
    return CompletionUsage(
        prompt_tokens=prompt,
        completion_tokens=output,
        total_tokens=prompt + output,
        prompt_tokens_details=PromptTokensDetails(cached_tokens=read, cache_write_tokens=written, audio_tokens=0),
        completion_tokens_details=CompletionTokensDetails(
            reasoning_tokens=(details.thinking_tokens or 0) if details else 0,
            audio_tokens=0,
            accepted_prediction_tokens=0,
            rejected_prediction_tokens=0,
        ),
    )


def service_tier(reader: ReplyReader) -> str | None:
    """The tier that served the answer, in OpenAI's word; None where upstream has not said it."""
    if reader.usage is not None and reader.usage.speed == "fast":
        return "fast"
    return _TIERS.get(reader.service_tier or "")


class CompletionFold:
    """Gathers one upstream stream into one choice. `feed` as in StreamTranslator; `close` raises as there."""

    def __init__(self, context: ChatReplyContext, *, index: int = 0) -> None:
        self.reader = ReplyReader(context)
        self.usage: Usage | None = None
        self._context = context
        self._index = index
        self._id = ""
        self._text: list[str] = []
        self._reasoning: list[str] = []
        self._calls: list[CallStarted] = []
        self._inputs: list[list[str]] = []
        self._annotations: list[Annotation] = []
        self._end = Finished("stop", None, None)

    @property
    def over(self) -> bool:
        """Nothing more is to be read: the answer is whole, or it failed."""
        return self.reader.over

    def feed(self, data: bytes) -> None:
        for piece in self.reader.feed(data):
            self._add(piece)

    def resume(self) -> None:
        self.reader.resume()

    def close(self) -> None:
        """Upstream has ended. Raises ProxyError if the answer is not whole."""
        self.reader.close()

    def _add(self, piece: Piece) -> None:
        match piece:
            case Run(kind="text"):
                self._text.append(piece.text())
            case Run(kind="thinking"):
                self._reasoning.append(piece.text())
            case Run(call=call):
                self._inputs[call].append(piece.text())
            case Text(text):
                self._text.append(text)
            case Reasoning(text):
                self._reasoning.append(text)
            case CallInput(index, text):
                self._inputs[index].append(text)
            case CallStarted():
                self._calls.append(piece)
                self._inputs.append([])
            case Cited(annotations):
                self._annotations += annotations
            case Started(id_):
                self._id = id_
            case Finished():
                self._end = piece
                self.usage = piece.usage

    @property
    def id(self) -> str:
        return self._id

    def choice(self) -> Choice:
        """The folded answer; only meaningful after `close`."""
        reason = self._end.reason
        message = AnsweredMessage(
            role="assistant",
            content="".join(self._text) if self._text or not self._calls else None,
            refusal=self._end.refusal,
            annotations=self._annotations,
            reasoning_content="".join(self._reasoning) or UNSET,
        )
        if self._calls and self._context.legacy_functions:
            message.function_call = AnsweredFunction(self._calls[0].name, "".join(self._inputs[0]))
            reason = "function_call" if reason == "tool_calls" else reason
        elif self._calls:
            message.tool_calls = [_call(*pair) for pair in zip(self._calls, self._inputs, strict=True)]
        return Choice(index=self._index, message=message, finish_reason=reason, logprobs=None)


def _call(call: CallStarted, parts: list[str]) -> AnsweredCall:
    text = "".join(parts)
    if call.custom:
        return AnsweredCall(call.id, "custom", custom=AnsweredCustom(call.name, text))
    return AnsweredCall(call.id, "function", function=AnsweredFunction(call.name, text))


def completion(folds: list[CompletionFold], context: ChatReplyContext, *, created: int) -> bytes:
    """The body of the answer: one choice for each fold, usage summed, absent where one of them lacks it."""
    usages = [fold.usage for fold in folds if fold.usage is not None]
    usage = summed(usages) if len(usages) == len(folds) else None
    body = ChatCompletion(
        id=folds[0].id,
        object="chat.completion",
        created=created,
        model=context.model,
        choices=[fold.choice() for fold in folds],
        usage=UNSET if usage is None else completion_usage(usage),
        system_fingerprint=None,
        service_tier=(context.echo_service_tier and service_tier(folds[0].reader)) or UNSET,
    )
    return msgspec.json.encode(body)
