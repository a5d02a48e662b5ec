"""A reply as one completion: the same reading of the same events as the stream, folded."""

import msgspec
from msgspec import UNSET

from claude_proxy.dialects.chat.context import ChatReplyContext
from claude_proxy.dialects.chat.reply import ChatReply
from claude_proxy.dialects.chat.usage import completion_usage, reply_usage
from claude_proxy.dialects.service_tier import service_tier
from claude_proxy.translate.reply_handler import Block, DeltaBatch
from claude_proxy.wire.anthropic import Usage, summed
from claude_proxy.wire.chat_reply import (
    Annotation,
    AnsweredCall,
    AnsweredCustom,
    AnsweredFunction,
    AnsweredMessage,
    ChatCompletion,
    Choice,
)


class CompletionFold:
    """Gathers one upstream stream into one choice. `feed` as in StreamTranslator; `close` raises as there."""

    def __init__(self, context: ChatReplyContext, *, index: int = 0) -> None:
        self._output = _Message()
        self.reader = ChatReply(context, self._output).reader
        self._context = context
        self._index = index

    @property
    def over(self) -> bool:
        """Nothing more is to be read: the reply is whole, or it failed."""
        return self.reader.over

    @property
    def usage(self) -> Usage | None:
        return reply_usage(self.reader)

    @property
    def id(self) -> str:
        return "chatcmpl-" + self.reader.message.id.removeprefix("msg_")

    def feed(self, data: bytes) -> None:
        self.reader.feed(data)

    def resume(self) -> None:
        self.reader.resume()

    def close(self) -> None:
        """Upstream has ended. Raises ProxyError if the reply is not whole."""
        self.reader.close()

    def choice(self) -> Choice:
        """The folded reply; only meaningful after `close`."""
        output = self._output
        reason = output.finish_reason
        message = AnsweredMessage(
            role="assistant",
            content="".join(output.texts) if output.texts or not output.calls else None,
            refusal=output.refusal,
            annotations=output.annotations,
            reasoning_content="".join(output.reasoning_texts) or UNSET,
        )
        if output.calls and self._context.legacy_functions:
            message.function_call = AnsweredFunction(output.calls[0].name, "".join(output.inputs[0]))
            reason = "function_call" if reason == "tool_calls" else reason
        elif output.calls:
            message.tool_calls = [_call(*pair) for pair in zip(output.calls, output.inputs, strict=True)]
        return Choice(index=self._index, message=message, finish_reason=reason, logprobs=None)


class _Message:
    """The ChatOutput that keeps everything."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.reasoning_texts: list[str] = []
        self.calls: list[Block] = []
        self.inputs: list[list[str]] = []  # of the calls
        self.annotations: list[Annotation] = []
        self.finish_reason = "stop"
        self.refusal: str | None = None

    def started(self, message_id: str) -> None:
        pass

    def text(self, text: str) -> None:
        self.texts.append(text)

    def reasoning(self, text: str) -> None:
        self.reasoning_texts.append(text)

    def batch(self, number: int, batch: DeltaBatch) -> None:
        match batch.kind:
            case "text":
                self.texts.append(batch.text())
            case "thinking":
                self.reasoning_texts.append(batch.text())
            case "input_json":
                self.inputs[number].append(batch.text())

    def call_started(self, number: int, block: Block) -> None:
        self.calls.append(block)
        self.inputs.append([])

    def call_input(self, number: int, block: Block, text: str) -> None:
        self.inputs[number].append(text)

    def citations(self, annotations: list[Annotation]) -> None:
        self.annotations += annotations

    def finished(self, reason: str, refusal: str | None) -> None:
        self.finish_reason, self.refusal = reason, refusal


def _call(block: Block, parts: list[str]) -> AnsweredCall:
    text = "".join(parts)
    if block.custom_input is not None:
        return AnsweredCall(block.id, "custom", custom=AnsweredCustom(block.name, text))
    return AnsweredCall(block.id, "function", function=AnsweredFunction(block.name, text))


def completion(folds: list[CompletionFold], context: ChatReplyContext, *, created: int) -> bytes:
    """The body of the reply: one choice for each fold; usage is summed, and absent where one of them lacks it."""
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
