"""Legacy completions as a dialect: what stands in this folder, behind the interface that the server uses."""

from collections.abc import Iterator, Sequence

import msgspec
from msgspec import UNSET

from claude_proxy.dialects.api import OpenAIDialect
from claude_proxy.dialects.base import ErrorReport
from claude_proxy.dialects.chat.usage import completion_usage
from claude_proxy.dialects.completions.choice import ID_PREFIX, FoldedText, StreamedText
from claude_proxy.dialects.completions.request import PromptTranslation, to_messages_requests
from claude_proxy.options import Options
from claude_proxy.translate.memory import ThinkingMemory
from claude_proxy.translate.models import Model
from claude_proxy.wire.anthropic import Usage, summed
from claude_proxy.wire.completions_reply import Completion
from claude_proxy.wire.completions_request import CompletionsRequest, read_completions_request
from claude_proxy.wire.sse import DONE


class CompletionsDialect(OpenAIDialect):
    def read(self, body: bytes) -> "CompletionRequest":
        return CompletionRequest(*read_completions_request(body))


COMPLETIONS = CompletionsDialect("completions")


class CompletionRequest:
    """A decoded completion request."""

    def __init__(self, request: CompletionsRequest, unknown: frozenset[str]) -> None:
        self._request = request
        self._unknown = unknown
        self.model = request.model
        self.stream = bool(request.stream)

    def translate(
        self, *, model: Model, options: Options, memory: ThinkingMemory | None, without_thinking: bool = False
    ) -> "TranslatedCompletion":
        """As the interface says; a prompt holds no thinking, so there is none to leave out."""
        return TranslatedCompletion(to_messages_requests(self._request, self._unknown, model=model, options=options))


class TranslatedCompletion:
    """The prompts of a completion request, each with one choice or several."""

    def __init__(self, translations: tuple[PromptTranslation, ...]) -> None:
        self.translations = translations

    def streamed(self, *, id_: str, created: int) -> "StreamedCompletions":
        return StreamedCompletions(self.translations, id_=id_, created=created)

    def folded(self, *, id_: str, created: int) -> "FoldedCompletions":
        return FoldedCompletions(self.translations, id_=id_, created=created)


def _numbered(translations: Sequence[PromptTranslation]) -> Iterator[tuple[int, PromptTranslation]]:
    """The translation of each choice, in order: all choices of a prompt, then those of the next."""
    return enumerate(each for each in translations for _ in range(each.choices))


def _shared_id(translations: Sequence[PromptTranslation], id_: str) -> str | None:
    """The id of an answer with several choices; a single choice has upstream's."""
    return ID_PREFIX + id_ if sum(each.choices for each in translations) > 1 else None


class StreamedCompletions:
    """The frames of all choices."""

    def __init__(self, translations: Sequence[PromptTranslation], *, id_: str, created: int) -> None:
        shared = _shared_id(translations, id_)
        self._context = translations[0].reply
        self.choices = [
            StreamedText(each.reply, index=index, echo=each.echo, created=created, id_=shared)
            for index, each in _numbered(translations)
        ]

    def end(self, usage: Usage | None) -> bytes:
        if not self._context.include_usage or usage is None:
            return DONE
        return self.choices[0].usage_frame(msgspec.json.encode(completion_usage(usage))) + DONE

    def error_event(self, error: ErrorReport, request_id: str) -> bytes:
        return COMPLETIONS.error_event(error, request_id)

    def keepalive(self) -> bytes:
        return COMPLETIONS.keepalive()


class FoldedCompletions:
    """One completion with all choices; usage is summed, and absent where one of them lacks it."""

    def __init__(self, translations: Sequence[PromptTranslation], *, id_: str, created: int) -> None:
        self._shared_id = _shared_id(translations, id_)
        self._model = translations[0].reply.model
        self._created = created
        self.choices = [FoldedText(each.reply, index=index, echo=each.echo) for index, each in _numbered(translations)]

    def body(self) -> bytes:
        known = [choice.usage for choice in self.choices if choice.usage is not None]
        usage = summed(known) if len(known) == len(self.choices) else None
        completion = Completion(
            id=self._shared_id or ID_PREFIX + self.choices[0].reader.message.id.removeprefix("msg_"),
            object="text_completion",
            created=self._created,
            model=self._model,
            choices=[choice.choice() for choice in self.choices],
            usage=UNSET if usage is None else completion_usage(usage),
        )
        return msgspec.json.encode(completion)
