"""A reply as OpenAI's stream of chunks: upstream's bytes in, frames out, however the bytes are cut.

Order: the role; deltas; the finish reason; usage, if asked for; `[DONE]`. A failure ends the stream without the last
three: the endpoint sends an error event instead. Source: OpenAI's "Streaming events" reference and what the SDKs'
accumulators demand.
"""

import msgspec

from claude_proxy.dialects.chat.context import ChatReplyContext
from claude_proxy.dialects.chat.reply import ChatReply
from claude_proxy.dialects.chat.usage import completion_usage, reply_usage
from claude_proxy.dialects.service_tier import service_tier
from claude_proxy.translate.reply import ReplyReader
from claude_proxy.translate.reply_handler import Block, DeltaBatch
from claude_proxy.wire.anthropic import Usage
from claude_proxy.wire.chat_reply import Annotation, ChoiceDelta, DeltaCall, DeltaCustom, DeltaFunction
from claude_proxy.wire.delta_batches import DeltaKind
from claude_proxy.wire.sse import DONE

_encode = msgspec.json.Encoder().encode

# What stands before and behind the string of a delta in its chunk.
_DELTAS = {
    "text": (b'{"content":', b"}"),
    "thinking": (b'{"reasoning_content":', b"}"),
    "input_json": (b'{"tool_calls":[{"index":%d,"function":{"arguments":', b"}}]}"),
}


class StreamTranslator:
    """Turns one upstream stream into the frames of one choice.

    `feed` takes bytes as they come and returns the frames they complete, possibly none. When `reader.failure` is
    set, or `close` raises, the stream has failed and what `feed` returned is all there is. After `close` the
    endpoint writes `end`: usage and `[DONE]`, once for all choices. `id_` is one id for several choices; a single
    choice has upstream's.
    """

    def __init__(self, context: ChatReplyContext, *, created: int, index: int = 0, id_: str | None = None) -> None:
        self._output = _Frames(context, created, index, id_)
        self.reader = ChatReply(context, self._output).reader
        self._output.reader = self.reader

    @property
    def usage(self) -> Usage | None:
        return reply_usage(self.reader)

    def feed(self, data: bytes) -> bytes:
        """The frames for the events that `data` completes. Raises UpstreamDisconnected for an event without end."""
        self.reader.feed(data)
        return self._output.take()

    def resume(self) -> None:
        """Go on with the reply to the next request, after a pause."""
        self.reader.resume()

    def close(self) -> None:
        """Upstream has ended. Raises ProxyError if the reply is not whole."""
        self.reader.close()

    def end(self, usage: Usage | None) -> bytes:
        """The end of the whole stream: a chunk with the usage, if it was asked for and is known, and `[DONE]`."""
        return self._output.end(usage)


class _Frames:
    """The ChatOutput that writes chunks."""

    reader: ReplyReader  # set when the reply has one

    def __init__(self, context: ChatReplyContext, created: int, index: int, id_: str | None) -> None:
        self._context = context
        self._created = created
        self._index = index
        self._id = id_
        self._frames: list[bytes] = []
        self._annotations = 0
        self._base = self._head = self._tail = b""  # what every chunk repeats, once the reply has started
        self._surroundings: dict[tuple[DeltaKind, int], tuple[bytes, bytes]] = {}

    def take(self) -> bytes:
        """The frames since the last call."""
        frames = self._frames
        if not frames:
            return b""
        data = frames[0] if len(frames) == 1 else b"".join(frames)
        frames.clear()
        return data

    def started(self, message_id: str) -> None:
        """The first chunk has the role."""
        id_ = self._id or "chatcmpl-" + message_id.removeprefix("msg_")
        base = f'"id":{_text(id_)},"object":"chat.completion.chunk","created":{self._created},'
        base += f'"model":{_text(self._context.model)},"system_fingerprint":null,'
        self._base = base.encode()
        self._head = b"data: {" + self._base + b'"choices":[{"index":%d,"delta":' % self._index
        usage = b',"usage":null' if self._context.include_usage else b""
        self._tail = b',"finish_reason":null,"logprobs":null}]' + usage + b"}\n\n"
        self._delta(ChoiceDelta(role="assistant", content="", refusal=None))

    def text(self, text: str) -> None:
        self._string("text", 0, text)

    def reasoning(self, text: str) -> None:
        self._string("thinking", 0, text)

    def batch(self, number: int, batch: DeltaBatch) -> None:
        before, after = self._around(batch.kind, number)
        strings = batch.strings
        between = strings[0] if len(strings) == 1 else (after + before).join(strings)
        self._frames.append(before + between + after)

    def call_started(self, number: int, block: Block) -> None:
        if self._context.legacy_functions:
            if number == 0:  # the older form has room for one call
                self._delta(ChoiceDelta(function_call=DeltaFunction(name=block.name, arguments="")))
            return
        if block.custom_input is not None:
            call = DeltaCall(number, block.id, "custom", custom=DeltaCustom(name=block.name, input=""))
        else:
            call = DeltaCall(number, block.id, "function", DeltaFunction(name=block.name, arguments=""))
        self._delta(ChoiceDelta(tool_calls=[call]))

    def call_input(self, number: int, block: Block, text: str) -> None:
        if self._context.legacy_functions:
            if number == 0:
                self._delta(ChoiceDelta(function_call=DeltaFunction(arguments=text)))
        elif block.custom_input is not None:
            self._delta(ChoiceDelta(tool_calls=[DeltaCall(number, custom=DeltaCustom(input=text))]))
        else:
            self._string("input_json", number, text)

    def citations(self, annotations: list[Annotation]) -> None:
        for annotation in annotations:  # the SDK's accumulator merges list items by their index
            annotation.index = self._annotations
            self._annotations += 1
        self._delta(ChoiceDelta(annotations=annotations))

    def finished(self, reason: str, refusal: str | None) -> None:
        if refusal is not None:
            self._delta(ChoiceDelta(refusal=refusal))
        if reason == "tool_calls" and self._context.legacy_functions:
            reason = "function_call"
        tail = self._tail.replace(b'"finish_reason":null', b'"finish_reason":' + _encode(reason), 1)
        if self._context.echo_service_tier and (tier := service_tier(self.reader)):
            tail = tail[:-3] + b',"service_tier":' + _encode(tier) + b"}\n\n"
        self._frames.append(self._head + b"{}" + tail)

    def end(self, usage: Usage | None) -> bytes:
        if not self._context.include_usage or usage is None:
            return DONE
        counted = _encode(completion_usage(usage))
        return b"data: {" + self._base + b'"choices":[],"usage":' + counted + b"}\n\n" + DONE

    def _string(self, kind: DeltaKind, number: int, text: str) -> None:
        before, after = self._around(kind, number)
        self._frames.append(before + _encode(text) + after)

    def _around(self, kind: DeltaKind, number: int) -> tuple[bytes, bytes]:
        """What stands before and behind a delta's string in its frame."""
        known = self._surroundings.get((kind, number))
        if known is None:
            before, after = _DELTAS[kind]
            known = self._head + (before % number if kind == "input_json" else before), after + self._tail
            self._surroundings[kind, number] = known
        return known

    def _delta(self, delta: ChoiceDelta) -> None:
        self._frames.append(self._head + _encode(delta) + self._tail)


def _text(value: str) -> str:
    return _encode(value).decode()
