"""The response object, streamed and not: `response.created` to `response.completed`, or one body.

Both forms are one reading of the reply; the folded one writes no events. Source: OpenAI's "Responses" reference and
what the SDKs' accumulators demand.
"""

import msgspec
from msgspec import Struct

from claude_proxy.dialects.base import ErrorReport
from claude_proxy.dialects.responses.context import ResponseContext
from claude_proxy.dialects.responses.events import EventWriter
from claude_proxy.dialects.responses.reply import ResponseReply
from claude_proxy.dialects.responses.usage import response_usage
from claude_proxy.dialects.service_tier import service_tier
from claude_proxy.translate.reply import ReplyReader
from claude_proxy.wire.anthropic import Usage
from claude_proxy.wire.responses_reply import IncompleteDetails, OutputItem, ResponseError

ID_PREFIX = "resp_"

_encode = msgspec.json.Encoder().encode


class FinishedResponse(Struct, frozen=True):
    """What the server keeps of a response: the body as the client got it, and the items with their signed thinking."""

    id: str
    status: str
    body: bytes
    output: list[OutputItem]


class Response:
    """One response as it grows. `own_id` is the id without its prefix, `created` is in epoch seconds."""

    def __init__(self, context: ResponseContext, own_id: str, created: int, events: EventWriter | None) -> None:
        self.id = ID_PREFIX + own_id
        self.reply = ResponseReply(context, own_id, events)
        self._context = context
        self._created = created

    @property
    def status(self) -> str:
        return "incomplete" if self.reply.incomplete_reason else "completed"

    def document(self, status: str, *, usage: Usage | None = None, error: ResponseError | None = None) -> bytes:
        """The response object as JSON."""
        ended = status not in ("queued", "in_progress")
        reason = self.reply.incomplete_reason
        output = self.reply.output
        fields: dict[str, object] = {
            "id": self.id,
            "object": "response",
            "created_at": self._created,
            "status": status,
            "error": error,
            "incomplete_details": IncompleteDetails(reason) if reason and status == "incomplete" else None,
            "model": self._context.model,
            "output": [output.for_client(item) for item in output.items] if ended else [],
            "usage": response_usage(usage) if usage is not None else None,
            **self._context.echo,
        }
        if tier := service_tier(self.reply.reader):
            fields["service_tier"] = tier
        return _encode(fields)

    def finished(self, usage: Usage | None) -> FinishedResponse:
        """The whole response; only meaningful when the reply is whole."""
        body = self.document(self.status, usage=usage)
        return FinishedResponse(self.id, self.status, body, self.reply.output.items)


class StreamedResponse:
    """A response as events. It is its own single choice."""

    def __init__(self, context: ResponseContext, *, own_id: str, created: int) -> None:
        self._events = EventWriter()
        self._response = Response(context, own_id, created, self._events)
        self._begun = False
        self.finished: FinishedResponse | None = None

    @property
    def choices(self) -> "tuple[StreamedResponse]":
        return (self,)

    @property
    def reader(self) -> ReplyReader:
        return self._response.reply.reader

    @property
    def usage(self) -> Usage | None:
        return self.reader.usage

    @property
    def id(self) -> str:
        return self._response.id

    def begin(self, status: str = "in_progress") -> bytes:
        """The first events, which need nothing of upstream. `status` is queued for a run in the background."""
        if not self._begun:
            self._begun = True
            created = self._response.document(status)
            self._events.event("response.created", response=created)
            if status == "queued":
                self._events.event("response.queued", response=created)
            self._events.event("response.in_progress", response=self._response.document("in_progress"))
        return self._events.take()

    def feed(self, data: bytes) -> bytes:
        """The frames for the events that `data` completes. Raises UpstreamDisconnected for an event without end."""
        if not self._begun:
            begin = self.begin()
            self.reader.feed(data)
            return begin + self._events.take()
        self.reader.feed(data)
        return self._events.take()

    def resume(self) -> None:
        self.reader.resume()

    def close(self) -> None:
        """Upstream has ended. Raises ProxyError if the reply is not whole."""
        self.reader.close()

    def end(self, usage: Usage | None) -> bytes:
        """The last event, with the whole response."""
        self.finished = self._response.finished(usage)
        self._events.event(f"response.{self.finished.status}", response=self.finished.body)
        return self._events.take()

    def error_event(self, error: ErrorReport, request_id: str) -> bytes:
        """The two events of a failure that comes late: OpenAI itself sends both."""
        begin = self.begin()
        failure = ResponseError(error.code or error.type, error.message)
        detail = {"type": error.type, "code": error.code, "message": error.message, "param": error.param}
        body = self._response.document("failed", error=failure)
        self.finished = FinishedResponse(self._response.id, "failed", body, [])
        self._events.event("error", error=detail)
        self._events.event("response.failed", response=body)
        return begin + self._events.take()

    def keepalive(self) -> bytes:
        """An event of an unknown type, which clients ignore; a comment would not reset their timers."""
        begin = self.begin()
        self._events.event("keepalive")
        return begin + self._events.take()


class FoldedResponse:
    """A response in one body. It is its own single choice."""

    def __init__(self, context: ResponseContext, *, own_id: str, created: int) -> None:
        self._response = Response(context, own_id, created, None)
        self.finished: FinishedResponse | None = None

    @property
    def choices(self) -> "tuple[FoldedResponse]":
        return (self,)

    @property
    def reader(self) -> ReplyReader:
        return self._response.reply.reader

    @property
    def over(self) -> bool:
        return self.reader.over

    @property
    def usage(self) -> Usage | None:
        return self.reader.usage

    def feed(self, data: bytes) -> None:
        self.reader.feed(data)

    def resume(self) -> None:
        self.reader.resume()

    def close(self) -> None:
        """Upstream has ended. Raises ProxyError if the reply is not whole."""
        self.reader.close()

    def body(self) -> bytes:
        """The response, once the reply is closed."""
        self.finished = self._response.finished(self.usage)
        return self.finished.body
