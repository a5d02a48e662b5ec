"""What a dialect is: how a client's request is read, and how its answer and its errors are written.

    body -> GeneratingDialect.read -> Request -> translate -> TranslatedRequest: the Messages requests to send
    upstream's bytes -> one Choice each -> StreamedAnswer: frames, or FoldedAnswer: one body

Several choices, or several prompts in one request, are several Messages requests: each has a `Choice` that reads its
reply, and the answer joins them.
Nothing here does I/O: time and ids are arguments.
"""

from collections.abc import Mapping, Sequence
from typing import Literal, Protocol

from msgspec import Struct

from claude_proxy.options import Options
from claude_proxy.translate.draft import Translation
from claude_proxy.translate.memory import ThinkingMemory
from claude_proxy.translate.models import Model
from claude_proxy.translate.reply import ReplyReader
from claude_proxy.wire.anthropic import Usage

API = Literal["openai", "anthropic"]


class ErrorReport(Struct, frozen=True):
    """What a client, the log and the records are told about an error. It holds no secret and no exception."""

    status: int
    type: str  # OpenAI's word; Anthropic's follows from the status
    code: str | None
    message: str
    param: str | None = None
    headers: Mapping[str, str] = {}  # of the reply, such as `retry-after`

    @property
    def line(self) -> str:
        """The error in one line, for the log."""
        return f"{self.status} {self.code or self.type}: {self.message}"


class StreamEvents(Protocol):
    """The frames that a stream may need beside its content."""

    def error_event(self, error: ErrorReport, request_id: str) -> bytes:
        """The last frames of a stream that has failed."""

    def keepalive(self) -> bytes:
        """A frame without meaning, for a client that has received nothing for a while."""


class Dialect(StreamEvents, Protocol):
    """The form in which a route answers. As `StreamEvents` it serves streams that have no state of their own."""

    @property
    def name(self) -> str:
        """As it stands in records: `chat`, `messages`, ..."""

    @property
    def api(self) -> API:
        """Whose clients speak it."""

    def error_body(self, error: ErrorReport, request_id: str) -> bytes:
        """The body of a reply whose status is an error's."""


class Choice(Protocol):
    """Reads the reply to one Messages request as one choice (or output) of an answer."""

    @property
    def reader(self) -> ReplyReader: ...

    @property
    def usage(self) -> Usage | None:
        """What upstream has counted for this choice; None while that is not known."""

    def resume(self) -> None:
        """Go on with the reply to the next request, after a pause."""

    def close(self) -> None:
        """Upstream has ended. Raises ProxyError if the choice is not whole."""


class StreamedChoice(Choice, Protocol):
    def feed(self, data: bytes) -> bytes:
        """The frames that `data` completes, possibly none. Raises ProxyError when the reply cannot be read."""


class FoldedChoice(Choice, Protocol):
    @property
    def over(self) -> bool: ...

    def feed(self, data: bytes) -> None:
        """Take what `data` completes."""


class StreamedAnswer(StreamEvents, Protocol):
    """A streamed answer: frames from each choice as it grows, then the end of them all."""

    @property
    def choices(self) -> Sequence[StreamedChoice]: ...

    def end(self, usage: Usage | None) -> bytes:
        """The last frames of a whole answer. `usage` is the sum of all choices, None where a part is unknown."""


class FoldedAnswer(Protocol):
    """An answer in one body."""

    @property
    def choices(self) -> Sequence[FoldedChoice]: ...

    def body(self) -> bytes:
        """The answer, once all choices are closed."""


class TranslatedRequest(Protocol):
    """A client's request as Messages requests, and how the answer to them is written."""

    @property
    def translations(self) -> Sequence[Translation]:
        """The Messages requests to send, one for each prompt; each is sent `choices` times."""

    def streamed(self, *, id_: str, created: int) -> StreamedAnswer:
        """The answer, whose choices stand in the order of the requests that were sent.

        `id_` is an id of our own, for answers that cannot have upstream's; `created` is in epoch seconds.
        """

    def folded(self, *, id_: str, created: int) -> FoldedAnswer:
        """As `streamed`, in one body."""


class Request(Protocol):
    """A client's decoded request."""

    @property
    def model(self) -> str:
        """The model's name as the client wrote it."""

    @property
    def stream(self) -> bool: ...

    def translate(
        self, *, model: Model, options: Options, memory: ThinkingMemory | None, without_thinking: bool = False
    ) -> TranslatedRequest:
        """What has to be sent to `model`. Raises InvalidRequest.

        With `without_thinking` all earlier thinking is left out: for the retry after upstream refused some.
        """


class GeneratingDialect(Dialect, Protocol):
    """A dialect in which clients ask for answers."""

    def read(self, body: bytes) -> Request:
        """The request in `body`. Raises InvalidRequest whose `param` says where it is wrong."""
