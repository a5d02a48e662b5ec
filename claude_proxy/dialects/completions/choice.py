"""One choice of a legacy completion: the text of a chat's reply, as frames or as a whole.

The reading of the reply is chat's: texts are joined, stop texts found and finish reasons named in the same way.
"""

import msgspec

from claude_proxy.dialects.chat.context import ChatReplyContext
from claude_proxy.dialects.chat.reply import ChatReply
from claude_proxy.dialects.chat.usage import reply_usage
from claude_proxy.translate.reply_handler import Block, DeltaBatch
from claude_proxy.wire.anthropic import Usage
from claude_proxy.wire.chat_reply import Annotation
from claude_proxy.wire.completions_reply import TextChoice
from claude_proxy.wire.sse import data_frame

ID_PREFIX = "cmpl-"

_encode = msgspec.json.Encoder().encode


class TextOutput:
    """The ChatOutput of a completion: only its text and its end matter."""

    def started(self, message_id: str) -> None: ...

    def text(self, text: str) -> None: ...

    def reasoning(self, text: str) -> None: ...

    def call_started(self, number: int, block: Block) -> None: ...

    def call_input(self, number: int, block: Block, text: str) -> None: ...

    def batch(self, number: int, batch: DeltaBatch) -> None: ...

    def citations(self, annotations: list[Annotation]) -> None: ...

    def finished(self, reason: str, refusal: str | None) -> None: ...


def finish_reason(reason: str) -> str:
    """Chat's finish reason in the words of completions, which have no calls."""
    return "stop" if reason == "tool_calls" else reason


class _Choice:
    """What streamed and folded choices have in common."""

    def __init__(self, context: ChatReplyContext, output: TextOutput) -> None:
        self.reader = ChatReply(context, output).reader

    @property
    def over(self) -> bool:
        return self.reader.over

    @property
    def usage(self) -> Usage | None:
        return reply_usage(self.reader)

    def resume(self) -> None:
        self.reader.resume()

    def close(self) -> None:
        """Upstream has ended. Raises ProxyError if the reply is not whole."""
        self.reader.close()


class FoldedText(_Choice):
    """A choice in one piece. `echo` stands before its text."""

    def __init__(self, context: ChatReplyContext, *, index: int, echo: str) -> None:
        self._output = _Text(echo)
        self._index = index
        super().__init__(context, self._output)

    def feed(self, data: bytes) -> None:
        self.reader.feed(data)

    def choice(self) -> TextChoice:
        """The choice; only meaningful after `close`."""
        return TextChoice("".join(self._output.texts), self._index, None, self._output.reason)


class _Text(TextOutput):
    def __init__(self, echo: str) -> None:
        self.texts = [echo]
        self.reason = "stop"

    def text(self, text: str) -> None:
        self.texts.append(text)

    def batch(self, number: int, batch: DeltaBatch) -> None:
        if batch.kind == "text":
            self.texts.append(batch.text())

    def finished(self, reason: str, refusal: str | None) -> None:
        self.reason = finish_reason(reason)


class StreamedText(_Choice):
    """A choice as frames. `id_` is the id of the whole answer; without one it is upstream's."""

    def __init__(self, context: ChatReplyContext, *, index: int, echo: str, created: int, id_: str | None) -> None:
        self._output = _Frames(context, index, echo, created, id_)
        super().__init__(context, self._output)

    def feed(self, data: bytes) -> bytes:
        """The frames for the events that `data` completes. Raises UpstreamDisconnected for an event without end."""
        self.reader.feed(data)
        return self._output.take()

    def usage_frame(self, usage: bytes) -> bytes:
        """The frame with the usage, which is JSON already."""
        return data_frame(self._output.head + b'[],"usage":' + usage + b"}")


class _Frames(TextOutput):
    def __init__(self, context: ChatReplyContext, index: int, echo: str, created: int, id_: str | None) -> None:
        self._context = context
        self._echo = echo
        self._created = created
        self._id = id_
        self._frames: list[bytes] = []
        self._usage = b',"usage":null' if context.include_usage else b""
        self._after = b',"index":%d,"logprobs":null,"finish_reason":' % index
        self.head = b""  # what every frame begins with, once the reply has started

    def take(self) -> bytes:
        """The frames since the last call."""
        data = b"".join(self._frames)
        self._frames.clear()
        return data

    def started(self, message_id: str) -> None:
        id_ = self._id or ID_PREFIX + message_id.removeprefix("msg_")
        self.head = b'{"id":%b,"object":"text_completion","created":%d,"model":%b,"choices":' % (
            _encode(id_),
            self._created,
            _encode(self._context.model),
        )
        if self._echo:
            self.text(self._echo)

    def text(self, text: str) -> None:
        self._write(_encode(text), b"null")

    def batch(self, number: int, batch: DeltaBatch) -> None:
        if batch.kind == "text":
            for string in batch.strings:
                self._write(string, b"null")

    def finished(self, reason: str, refusal: str | None) -> None:
        self._write(b'""', _encode(finish_reason(reason)))

    def _write(self, string: bytes, reason: bytes) -> None:
        self._frames.append(b'data: %b[{"text":%b%b%b}]%b}\n\n' % (self.head, string, self._after, reason, self._usage))
