"""The Responses API as a dialect: what stands in this folder, behind the interface that the server uses."""

import msgspec
from msgspec import Raw

from claude_proxy.dialects.api import OpenAIDialect
from claude_proxy.dialects.responses.compaction import ends_with_trigger
from claude_proxy.dialects.responses.context import ResponseTranslation
from claude_proxy.dialects.responses.request import History, to_messages_request
from claude_proxy.dialects.responses.response import FoldedResponse, OnFinished, StreamedResponse, ignore
from claude_proxy.options import Options
from claude_proxy.translate.memory import ThinkingMemory
from claude_proxy.translate.models import Model
from claude_proxy.wire.responses_request import ResponsesRequest, read_responses_request


class ResponsesDialect(OpenAIDialect):
    def read(self, body: bytes) -> "ResponseRequest":
        return ResponseRequest(*read_responses_request(body))


RESPONSES = ResponsesDialect("responses")


class ResponseRequest:
    """A decoded Responses request.

    The server gives it the `history` that it names before it is translated, and `on_finished`, which is called with the
    response that has ended. With `compact` the answer is a summary of the conversation.
    """

    def __init__(
        self, request: ResponsesRequest, fields: dict[str, Raw], unknown: frozenset[str] = frozenset()
    ) -> None:
        self.request = request
        self.history = History()
        self.on_finished: OnFinished = ignore
        self.model = request.model
        self.stream = bool(request.stream)
        self.compact = ends_with_trigger(request.input)
        self.fields = fields
        self._unknown = unknown

    def translate(
        self, *, model: Model, options: Options, memory: ThinkingMemory | None, without_thinking: bool = False
    ) -> "TranslatedResponse":
        return TranslatedResponse(
            to_messages_request(
                self.request,
                self.fields,
                msgspec.structs.replace(self.history, compact=self.compact),
                unknown=self._unknown,
                model=model,
                options=options,
                memory=memory,
                without_thinking=without_thinking,
            ),
            self.on_finished,
        )


class TranslatedResponse:
    """The one Messages request of a Responses request."""

    def __init__(self, translation: ResponseTranslation, on_finished: OnFinished) -> None:
        self.translations = (translation,)
        self._on_finished = on_finished

    def streamed(self, *, id_: str, created: int) -> StreamedResponse:
        return StreamedResponse(self.translations[0].reply, own_id=id_, created=created, on_finished=self._on_finished)

    def folded(self, *, id_: str, created: int) -> FoldedResponse:
        return FoldedResponse(self.translations[0].reply, own_id=id_, created=created, on_finished=self._on_finished)
