"""How the two APIs write an error. Each dialect belongs to one of them and inherits the rest from here."""

import msgspec

from claude_proxy.dialects.base import API, ErrorReport
from claude_proxy.errors import error_kind
from claude_proxy.wire.chat_reply import ErrorBody, ErrorDetail
from claude_proxy.wire.sse import COMMENT, data_frame


class OpenAIDialect:
    """Errors are `{"error": {message, type, param, code}}`; within a stream, one event without a name."""

    api: API = "openai"

    def __init__(self, name: str) -> None:
        self.name = name

    def error_body(self, error: ErrorReport, request_id: str) -> bytes:
        return msgspec.json.encode(ErrorBody(ErrorDetail(error.message, error.type, error.param, error.code)))

    def error_event(self, error: ErrorReport, request_id: str) -> bytes:
        return data_frame(self.error_body(error, request_id))

    def keepalive(self) -> bytes:
        return COMMENT


class AnthropicDialect:
    """Errors are `{"type": "error", "error": {type, message}}`; within a stream, an event named `error`."""

    api: API = "anthropic"

    def __init__(self, name: str) -> None:
        self.name = name

    def error_body(self, error: ErrorReport, request_id: str) -> bytes:
        detail = {"type": error_kind(error.status).anthropic, "message": error.message}
        return msgspec.json.encode({"type": "error", "error": detail, "request_id": request_id})

    def error_event(self, error: ErrorReport, request_id: str) -> bytes:
        return b"event: error\n" + data_frame(self.error_body(error, request_id))

    def keepalive(self) -> bytes:
        return COMMENT


OPENAI = OpenAIDialect("openai")  # routes that generate nothing: models, status, what does not exist
MESSAGES = AnthropicDialect("messages")
