"""An answer as OpenAI's stream of chunks: upstream's bytes in, frames out, whatever way the bytes are cut.

Order: the role; deltas; the finish; usage, if asked for; `[DONE]`. A failure ends the stream with none of the
last three: the endpoint sends an error event instead. Source: OpenAI's "Streaming events" reference and what the
SDKs' accumulators demand.
"""

import msgspec

from claude_proxy.dialects.chat.context import ChatReplyContext
from claude_proxy.dialects.chat.fold import completion_usage, service_tier
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
from claude_proxy.translate.runs import RunKind
from claude_proxy.wire import chat_reply as answers
from claude_proxy.wire.anthropic import Usage
from claude_proxy.wire.chat_reply import ChoiceDelta, DeltaCall, DeltaCustom, DeltaFunction
from claude_proxy.wire.sse import DONE

_encode = msgspec.json.Encoder().encode

# What stands in a chunk before and behind the string of a delta.
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
    one has upstream's.
    """

    def __init__(self, context: ChatReplyContext, *, created: int, index: int = 0, id_: str | None = None) -> None:
        self.reader = ReplyReader(context)
        self._context = context
        self._created = created
        self._index = index
        self._id = id_
        self._annotations = 0
        self._head = self._tail = b""
        self._frames: dict[tuple[RunKind, int], tuple[bytes, bytes]] = {}  # what `_around` has said
        self.usage: Usage | None = None

    def feed(self, data: bytes) -> bytes:
        """The frames for the events that `data` completes. Raises UpstreamDisconnected on an endless event."""
        pieces = self.reader.feed(data)
        if len(pieces) == 1 and type(run := pieces[0]) is Run:  # most of a stream
            return self._run(run)
        frames: list[bytes] = []
        for piece in pieces:
            self._render(piece, frames)
        return b"".join(frames)

    def resume(self) -> None:
        """Go on with the answer to the next request, after a pause."""
        self.reader.resume()

    def close(self) -> None:
        """Upstream has ended. Raises ProxyError if the answer is not whole."""
        self.reader.close()

    def _render(self, piece: Piece, frames: list[bytes]) -> None:
        match piece:
            case Run():
                frames.append(self._run(piece))
            case Text(text):
                frames.append(self._string("text", text))
            case Reasoning(text):
                frames.append(self._string("thinking", text))
            case CallInput():
                self._call_input(piece, frames)
            case CallStarted():
                self._call_started(piece, frames)
            case Cited(annotations):
                self._cited(annotations, frames)
            case Started(id_, _):
                self._started(self._id or id_, frames)
            case Finished():
                self._finished(piece, frames)

    def _run(self, run: Run) -> bytes:
        before, after = self._around(run.kind, run.call)
        literals = run.literals
        if len(literals) == 1:
            return before + literals[0] + after
        return before + (after + before).join(literals) + after

    def _string(self, kind: RunKind, text: str, call: int = 0) -> bytes:
        before, after = self._around(kind, call)
        return before + _encode(text) + after

    def _around(self, kind: RunKind, call: int) -> tuple[bytes, bytes]:
        """What stands before and behind a delta's string in its frame."""
        known = self._frames.get((kind, call))
        if known is None:
            before, after = _DELTAS[kind]
            known = self._head + (before % call if kind == "input_json" else before), after + self._tail
            self._frames[kind, call] = known
        return known

    def _delta(self, delta: ChoiceDelta) -> bytes:
        return self._head + _encode(delta) + self._tail

    def _started(self, id_: str, frames: list[bytes]) -> None:
        """The first chunk has the role; it also fixes what every chunk repeats."""
        base = f'"id":{_text(id_)},"object":"chat.completion.chunk","created":{self._created},'
        base += f'"model":{_text(self._context.model)},"system_fingerprint":null,'
        self._base = base.encode()
        self._head = b"data: {" + self._base + b'"choices":[{"index":%d,"delta":' % self._index
        usage = b',"usage":null' if self._context.include_usage else b""
        self._tail = b',"finish_reason":null,"logprobs":null}]' + usage + b"}\n\n"
        self._frames.clear()
        frames.append(self._delta(ChoiceDelta(role="assistant", content="", refusal=None)))

    def _call_started(self, call: CallStarted, frames: list[bytes]) -> None:
        if self._context.legacy_functions:
            if call.index == 0:
                frames.append(self._delta(ChoiceDelta(function_call=DeltaFunction(name=call.name, arguments=""))))
            return
        if call.custom:
            started = DeltaCall(call.index, call.id, "custom", custom=DeltaCustom(name=call.name, input=""))
        else:
            started = DeltaCall(call.index, call.id, "function", DeltaFunction(name=call.name, arguments=""))
        frames.append(self._delta(ChoiceDelta(tool_calls=[started])))

    def _call_input(self, call: CallInput, frames: list[bytes]) -> None:
        if self._context.legacy_functions:
            if call.index == 0:
                frames.append(self._delta(ChoiceDelta(function_call=DeltaFunction(arguments=call.text))))
        elif call.custom:
            frames.append(
                self._delta(ChoiceDelta(tool_calls=[DeltaCall(call.index, custom=DeltaCustom(input=call.text))]))
            )
        else:
            frames.append(self._string("input_json", call.text, call.index))

    def _cited(self, annotations: list[answers.Annotation], frames: list[bytes]) -> None:
        for annotation in annotations:  # the SDK's accumulator merges list items by their index
            annotation.index = self._annotations
            self._annotations += 1
        frames.append(self._delta(ChoiceDelta(annotations=annotations)))

    def _finished(self, end: Finished, frames: list[bytes]) -> None:
        self.usage = end.usage
        if end.refusal is not None:
            frames.append(self._delta(ChoiceDelta(refusal=end.refusal)))
        reason = "function_call" if end.reason == "tool_calls" and self._context.legacy_functions else end.reason
        tail = self._tail.replace(b'"finish_reason":null', b'"finish_reason":' + _encode(reason), 1)
        if self._context.echo_service_tier and (tier := service_tier(self.reader)):
            tail = tail[:-3] + b',"service_tier":' + _encode(tier) + b"}\n\n"
        frames.append(self._head + b"{}" + tail)

    def end(self, usage: Usage | None) -> bytes:
        """The end of the whole stream: a chunk with the usage, if it was asked for and is known, and `[DONE]`."""
        if not self._context.include_usage or usage is None:
            return DONE
        counted = _encode(completion_usage(usage))
        return b"data: {" + self._base + b'"choices":[],"usage":' + counted + b"}\n\n" + DONE


def _text(value: str) -> str:
    return _encode(value).decode()
