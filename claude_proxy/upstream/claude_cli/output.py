"""What a process of the Claude CLI writes: events, errors and rate limits, one JSON object a line. Pure.

The CLI replaces most texts of upstream's errors with its own. Status and type come from the fields that it gives; a
text is changed only where a client acts on upstream's own words, and those are known: an unknown model.
"""

import re
from collections.abc import Mapping

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

from claude_proxy.errors import error_kind

# The words of the field `error` of an assistant's line, which also tells what a `result` line without a status means.
_STATUS_OF_WORD: Mapping[str, int] = {
    "authentication_failed": 401,
    "oauth_org_not_allowed": 403,
    "billing_error": 402,
    "rate_limit": 429,
    "invalid_request": 400,
    "model_not_found": 404,
    "server_error": 500,
    "overloaded": 529,
}
_NOT_LOGGED_IN = ("not logged in", "please run /login", "invalid api key")
_TOO_LONG = "prompt is too long"
_PREFIX = re.compile(
    r"^(?:Failed to authenticate\. )?(?:API Error: )?(?:(?:Request rejected \()?(\d{3})\)?(?: ·)?:? ?)?"
)
_OVERLOADED = ("overloaded_error", "overloaded")


_UNIFIED = "anthropic-ratelimit-unified-"
_SPANS = (("five_hour", "5h"), ("seven_day", "7d"))  # the CLI's names of windows, and upstream's


class RateLimitWindow(Struct, frozen=True, rename="camel"):
    """One window of a plan: the used share (0 to 1) and when it is empty again, in epoch seconds."""

    utilization: float | None = None
    resets_at: float | None = None
    status: str | None = None


class RateLimitInfo(Struct, frozen=True, rename="camel"):
    """The state of a plan's limits, as upstream told it the CLI with its last reply."""

    status: str = ""  # allowed, allowed_warning or rejected
    resets_at: float | None = None
    rate_limit_type: str | None = None  # the window that decides
    utilization: float | None = None
    unified_windows: dict[str, RateLimitWindow] = {}

    is_using_overage: bool | None = None
    overage_status: str | None = None

    @property
    def headers(self) -> dict[str, str]:
        """The same as the headers that upstream sends, from which the CLI has read it."""
        found: dict[str, object] = {
            "status": self.status or None,
            "reset": self.resets_at,
            "representative-claim": self.rate_limit_type,
            "overage-status": self.overage_status,
            "overage-in-use": self.is_using_overage,
        }
        windows = dict(self.unified_windows)
        if not windows and self.rate_limit_type is not None:  # older versions tell only the window that decides
            windows = {self.rate_limit_type: RateLimitWindow(self.utilization, self.resets_at)}
        for name, window in windows.items():
            short = next((short + name[len(long) :] for long, short in _SPANS if name.startswith(long)), name)
            found[f"{short}-status"] = window.status
            found[f"{short}-utilization"] = window.utilization
            found[f"{short}-reset"] = window.resets_at
        return {f"{_UNIFIED}{name}": _header_value(value) for name, value in found.items() if value is not None}


def _header_value(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"{value:.15g}" if isinstance(value, float) else str(value)


class _Response(Struct):
    subtype: str = ""
    request_id: str = ""
    error: str = ""


class Line(Struct):
    """One line of output, all types in one."""

    type: str = ""
    subtype: str = ""
    event: Raw | UnsetType = UNSET
    response: _Response | None = None  # of a control_response
    request_id: str = ""  # of a control_request
    error: str | None = None  # of an assistant's line
    is_error: bool = False
    api_error_status: int | None = None
    result: str | None = None
    num_turns: int = 0
    rate_limit_info: RateLimitInfo | None = None
    retry_delay_ms: float | None = None


class _EventDelta(Struct):
    stop_reason: str | None = None


class EventHead(Struct):
    """The parts of an event that decide what is done with it."""

    type: str = ""
    delta: _EventDelta | None = None

    @property
    def ends_message(self) -> bool:
        return self.type == "message_delta" and self.delta is not None and self.delta.stop_reason is not None


_decode_line = msgspec.json.Decoder(Line).decode
read_event_head = msgspec.json.Decoder(EventHead).decode

MESSAGE_STOP = b'event: message_stop\ndata: {"type":"message_stop"}\n\n'


def read_line(line: bytes) -> Line | None:
    """The line; None for one of a form that is not known here, which is of no use."""
    try:
        return _decode_line(line)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


def event_frame(head: EventHead, event: Raw) -> bytes:
    """The event as it stands in upstream's stream; its bytes are the CLI's."""
    return b"event: %s\ndata: %s\n\n" % (head.type.encode(), bytes(event))


class Failure(Struct, frozen=True):
    """An error of upstream's or of the CLI's, as the Messages API says it."""

    status: int
    message: str

    @property
    def body(self) -> bytes:
        error = {"type": error_kind(self.status).anthropic, "message": self.message}
        return msgspec.json.encode({"type": "error", "error": error})

    @property
    def frame(self) -> bytes:
        return b"event: error\ndata: %s\n\n" % self.body


def failure(line: Line, word: str | None, *, model: str) -> Failure:
    """The error in a `result` line; `word` is the field `error` of the assistant's line before it."""
    text = line.result or ""
    found = _PREFIX.match(text)
    told = int(found[1]) if found and found[1] else None
    message = text[found.end() :].strip() if found else text
    low = text.lower()
    status = line.api_error_status or told or _STATUS_OF_WORD.get(word or "", 0)
    if any(words in low for words in _NOT_LOGGED_IN):
        return Failure(
            401, "the Claude CLI is not logged in" if status in (0, 401) and "not logged in" in low else message
        )
    if _TOO_LONG in low:
        return Failure(400, message or text)
    if status == 404:  # the CLI says it in words of its own; clients look for upstream's
        return Failure(404, f"model: {model}")
    if not status:
        status = 529 if any(words in low for words in _OVERLOADED) else 500
    return Failure(status, message or f"the Claude CLI ended with an error ({line.subtype or 'unknown'})")
