"""Chat completions as a dialect: what stands in this folder, behind the interface that the server uses."""

from collections.abc import Sequence

from claude_proxy.dialects.api import OpenAIDialect
from claude_proxy.dialects.base import ErrorReport, FoldedChoice, Request, StreamedChoice
from claude_proxy.dialects.chat.context import ChatTranslation
from claude_proxy.dialects.chat.fold import CompletionFold, completion
from claude_proxy.dialects.chat.request import to_messages_request
from claude_proxy.dialects.chat.stream import StreamTranslator
from claude_proxy.options import Options
from claude_proxy.translate.memory import ThinkingMemory
from claude_proxy.translate.models import Model
from claude_proxy.wire.anthropic import Usage
from claude_proxy.wire.chat_request import ChatRequest, read_chat_request

ID_PREFIX = "chatcmpl-"


class ChatDialect(OpenAIDialect):
    def read(self, body: bytes) -> Request:
        return ChatCompletionRequest(*read_chat_request(body))


CHAT = ChatDialect("chat")


class ChatCompletionRequest:
    """A decoded chat completion request."""

    def __init__(self, chat: ChatRequest, unknown: frozenset[str]) -> None:
        self._chat = chat
        self._unknown = unknown
        self.model = chat.model
        self.stream = bool(chat.stream)

    def translate(
        self, *, model: Model, options: Options, memory: ThinkingMemory | None, without_thinking: bool = False
    ) -> "TranslatedChat":
        translation = to_messages_request(
            self._chat,
            self._unknown,
            model=model,
            options=options,
            memory=memory,
            without_thinking=without_thinking,
        )
        return TranslatedChat(translation)


class TranslatedChat:
    """The one prompt of a chat completion request, with one choice or several."""

    def __init__(self, translation: ChatTranslation) -> None:
        self.translations = (translation,)

    def streamed(self, *, id_: str, created: int) -> "StreamedCompletion":
        return StreamedCompletion(self.translations[0], id_=id_, created=created)

    def folded(self, *, id_: str, created: int) -> "FoldedCompletion":
        return FoldedCompletion(self.translations[0], created=created)


class StreamedCompletion:
    """The chunks of all choices. A single choice has upstream's id, several share one of ours."""

    def __init__(self, translation: ChatTranslation, *, id_: str, created: int) -> None:
        count = translation.choices
        shared = ID_PREFIX + id_ if count > 1 else None
        self._streams = [
            StreamTranslator(translation.reply, created=created, index=index, id_=shared) for index in range(count)
        ]

    @property
    def choices(self) -> Sequence[StreamedChoice]:
        return self._streams

    def end(self, usage: Usage | None) -> bytes:
        return self._streams[0].end(usage)

    def error_event(self, error: ErrorReport, request_id: str) -> bytes:
        return CHAT.error_event(error, request_id)

    def keepalive(self) -> bytes:
        return CHAT.keepalive()


class FoldedCompletion:
    """One completion with all choices."""

    def __init__(self, translation: ChatTranslation, *, created: int) -> None:
        self._context = translation.reply
        self._created = created
        self._folds = [CompletionFold(translation.reply, index=index) for index in range(translation.choices)]

    @property
    def choices(self) -> Sequence[FoldedChoice]:
        return self._folds

    def body(self) -> bytes:
        return completion(self._folds, self._context, created=self._created)
