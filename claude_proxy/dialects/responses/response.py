"""The response object, streamed and not: `response.created` to `response.completed`, or one body.

Both forms are one reading of the reply; the folded one writes no events. Source: OpenAI's "Responses" reference and
what the SDKs' accumulators demand.
"""

from collections.abc import Callable

import msgspec
from msgspec import Raw, Struct

from claude_proxy.dialects.base import ErrorReport
from claude_proxy.dialects.responses.compaction import CompactionReply
from claude_proxy.dialects.responses.context import ResponseContext
from claude_proxy.dialects.responses.events import EventWriter
from claude_proxy.dialects.responses.failure import response_error
from claude_proxy.dialects.responses.reply import ResponseReply
from claude_proxy.dialects.responses.stored_items import StoredItem, with_output
from claude_proxy.dialects.responses.usage import response_usage
from claude_proxy.dialects.service_tier import service_tier
from claude_proxy.translate.reply import ReplyReader
from claude_proxy.wire.anthropic import Usage
from claude_proxy.wire.responses_reply import IncompleteDetails, OutputItem, ReasoningItem, ResponseError

ID_PREFIX = "resp_"

_encode = msgspec.json.Encoder().encode


class FinishedResponse(Struct, frozen=True):
    """A response that has ended: the body as the client got it, and the items that are done, with signed thinking."""

    id: str
    status: str
    body: bytes
    output: list[OutputItem]

    def output_items(self) -> list[StoredItem]:
        return [StoredItem(item.id, Raw(_encode(item))) for item in self.output]

    def stored_body(self) -> bytes:
        """The body as it is kept, with the signed thinking."""
        if not any(isinstance(item, ReasoningItem) for item in self.output):
            return self.body
        return with_output(self.body, [Raw(_encode(item)) for item in self.output])


OnFinished = Callable[[FinishedResponse], None]


def ignore(finished: FinishedResponse) -> None:
    """Do nothing when a response has ended."""


class Response:
    """One response as it grows. `own_id` is the id without its prefix, `created` is in epoch seconds."""

    def __init__(self, context: ResponseContext, own_id: str, created: int, events: EventWriter | None) -> None:
        self.id = ID_PREFIX + own_id
        read = CompactionReply if context.compact else ResponseReply
        self.reply: CompactionReply | ResponseReply = read(context, own_id, events)
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
            "output": [output.for_client(item) for item in output.done_items] if ended else [],
            "usage": response_usage(usage) if usage is not None else None,
            **self._context.echo,
        }
        if tier := service_tier(self.reply.reader):
            fields["service_tier"] = tier
        return _encode(fields)

    def finished(self, usage: Usage | None) -> FinishedResponse:
        """The whole response; only meaningful when the reply is whole."""
        return self.ended(self.status, self.document(self.status, usage=usage))

    def ended(self, status: str, body: bytes) -> FinishedResponse:
        return FinishedResponse(self.id, status, body, self.reply.output.done_items)


class StreamedResponse:
    """A response as events. It is its own single choice.

    `on_finished` is called once, before the last events are returned.
    """

    def __init__(
        self, context: ResponseContext, *, own_id: str, created: int, on_finished: OnFinished = ignore
    ) -> None:
        self._on_finished = on_finished
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
        self._finish(self._response.finished(usage))
        return self._events.take()

    def _finish(self, finished: FinishedResponse) -> None:
        """Write the last event, and tell the server."""
        self.finished = finished
        event = "failed" if finished.status == "cancelled" else finished.status  # no event has that name
        self._events.event(f"response.{event}", response=finished.body)
        self._on_finished(finished)

    def cancel(self) -> bytes:
        """The last event of a response that was cancelled."""
        begin = self.begin()
        self._finish(self._response.ended("cancelled", self._response.document("cancelled")))
        return begin + self._events.take()

    def document(self, status: str) -> bytes:
        """The response object while it has not ended."""
        return self._response.document(status)

    def error_event(self, error: ErrorReport, request_id: str) -> bytes:
        """The two events of a failure that comes late: OpenAI itself sends both."""
        begin = self.begin()
        failure = response_error(error)
        detail = {"type": error.type, "code": error.code, "message": error.message, "param": error.param}
        body = self._response.document("failed", error=failure)
        self._events.event("error", error=detail)
        self._finish(self._response.ended("failed", body))
        return begin + self._events.take()

    def keepalive(self) -> bytes:
        """An event of an unknown type, which clients ignore; a comment would not reset their timers."""
        begin = self.begin()
        self._events.event("keepalive")
        return begin + self._events.take()


class FoldedResponse:
    """A response in one body. It is its own single choice."""

    def __init__(
        self, context: ResponseContext, *, own_id: str, created: int, on_finished: OnFinished = ignore
    ) -> None:
        self._on_finished = on_finished
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
        self._on_finished(self.finished)
        return self.finished.body
