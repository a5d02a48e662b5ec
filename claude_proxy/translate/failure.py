"""Upstream's errors and rate limits, translated to OpenAI's.

`claude_proxy/errors.py` holds the table of status, type and code; this module adds what a message or a header tells
beyond the status. Sources: Anthropic's "Errors" and "Rate limits" pages, OpenAI's error codes, and the codes that
Codex and the SDKs act on.
"""

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from http import HTTPStatus

import msgspec
from msgspec import Struct

from claude_proxy.errors import STATUS_OF_TYPE, ErrorKind, ProxyError, UpstreamRefused, error_kind
from claude_proxy.wire import anthropic
from claude_proxy.wire.refusals import refuses_plan_login

_TOO_LONG = ("prompt is too long", "exceed context limit", "exceeds the context window")
_OVERFLOW = re.compile(r"prompt is too long: \d+ tokens > (\d+) maximum")
_NO_CREDIT = ("credit balance is too low",)
_SPEND_LIMITS = ("enforced_spend_limit_reached", "contract_spend_limit_reached")
_BAD_IMAGE = ("Could not process image",)
_PARAM = re.compile(r"^((?:messages|system|tools|tool_choice|thinking|output_config)[\w.\[\]]*|[a-z_]+(?=: ))")
# Clients act on these statuses' own codes; elsewhere upstream's `details.error_code` is more exact.
_FIXED_CODES = (401, 404, 413, 429, 504, 529)
_LOGIN_HINT = "run `claude` and log in again, or set ANTHROPIC_API_KEY"
_KEY_HINT = (
    "Anthropic refuses this login outside Claude Code: use an API key (`claude-proxy credentials set` or "
    "ANTHROPIC_API_KEY), a Console login (`claude auth login --console`), or the Claude CLI itself (`backend = auto`)"
)


def upstream_failure(status: int, headers: Mapping[str, str], body: bytes, *, now: float) -> UpstreamRefused:
    """The error a client gets for upstream's reply. `headers` has lower-case names, `now` is in epoch seconds."""
    try:
        error = anthropic.read_error(body).error
    except (msgspec.MsgspecError, UnicodeDecodeError):  # a proxy before the API answers in HTML or with no body
        error = anthropic.ErrorDetail(message=f"upstream answered {status} {_phrase(status)}")
    return _to_refusal(status, error, openai_headers(headers, now=now))


def event_failure(error: anthropic.ErrorDetail) -> UpstreamRefused:
    """The error for an `error` event in the middle of a stream."""
    return _to_refusal(STATUS_OF_TYPE.get(error.type, 500), error, {})


# Texts of the 400s that a second request without thinking avoids: a signed or redacted block that upstream does not
# accept (made by another account, for another prefix), a tool turn whose thinking is missing, thinking beside a
# forced tool.
_THINKING = (
    "`thinking` block",
    "`redacted_thinking` block",
    "thinking` or `redacted_thinking` blocks",
    "expected `thinking`",
    "thinking may not be enabled when tool_choice forces tool use",
)


def refused_thinking(failure: ProxyError) -> bool:
    """Whether upstream refused the request because of thinking: in its history, or beside a forced tool."""
    return failure.status == 400 and any(words in failure.message.lower() for words in _THINKING)


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "(unknown)"


class _Report(Struct):
    """The error that a client gets, as far as it is known; starts from the failure's row of ERROR_KINDS."""

    kind: ErrorKind
    message: str
    code: str | None
    headers: dict[str, str]
    type: str = ""  # where the kind has several
    param: str | None = None
    hint: str | None = None


def _to_refusal(status: int, error: anthropic.ErrorDetail, headers: dict[str, str]) -> UpstreamRefused:
    message = error.message or _phrase(status)
    detail = error.details.error_code if error.details else None
    low = message.lower()
    if status == 402 or (status == 400 and any(words in low for words in _NO_CREDIT)) or detail in _SPEND_LIMITS:
        status, detail = 402, None
    elif refuses_plan_login(message):
        status, detail = 403, None
    kind = error_kind(status)
    code = kind.code if status in _FIXED_CODES else detail or kind.code
    report = _Report(kind, message, code, headers)
    if (add_details := _DETAILS.get(status)) is not None:
        add_details(report)
    elif 300 <= status < 400:
        _redirected(report, status)
    elif 400 <= status < 500:
        report.param = _param_of(message)
    return UpstreamRefused(
        report.message,
        status=kind.status,
        type=report.type or kind.type,
        param=report.param,
        code=report.code,
        hint=report.hint,
        headers=headers,
    )


def _bad_request(report: _Report) -> None:
    message = report.message
    report.param = _param_of(message)
    if any(words in message.lower() for words in _TOO_LONG):
        if found := _OVERFLOW.search(message):
            # LiteLLM, and so aider, recognises an overflow only by this sentence of OpenAI's.
            report.message = f"This model's maximum context length is {found[1]} tokens. {message}"
        report.code, report.param = "context_length_exceeded", "messages"
    elif report.code == "image_dimensions_too_large" or any(words in message for words in _BAD_IMAGE):
        # Codex recognises an image that was refused by this end of `param`.
        report.code, report.param = "invalid_value", f"{report.param or 'messages'}.image_url"


def _unauthorized(report: _Report) -> None:
    report.hint = _LOGIN_HINT


def _quota_spent(report: _Report) -> None:
    report.headers["x-should-retry"] = "false"


def _forbidden(report: _Report) -> None:
    low = report.message.lower()
    if refuses_plan_login(report.message):
        report.hint = _KEY_HINT
    elif "revoked" in low:
        report.hint = _LOGIN_HINT


def _not_found(report: _Report) -> None:
    if not report.message.lower().startswith("model"):
        return
    if name := report.message.partition("model: ")[2]:  # upstream's whole text, which some clients show as it is
        report.message = f"The model `{name}` does not exist or you do not have access to it."
    report.code, report.param = "model_not_found", "model"


def _rate_limited(report: _Report) -> None:
    if report.headers.get("x-ratelimit-remaining-tokens") == "0":
        report.type = "tokens"
    wait = report.headers.get("retry-after", "")
    if wait.isdigit() and "try again in" not in report.message:
        # Codex reads the pause from the message, in exactly these words.
        report.message = f"{report.message.rstrip('. ')}. Please try again in {wait}s."


def _overloaded(report: _Report) -> None:
    report.headers.setdefault("x-should-retry", "true")


def _redirected(report: _Report, status: int) -> None:
    report.message = f"upstream redirects ({status}); a credential is never sent after a redirect"
    report.code, report.hint = "upstream_redirect", "check base_url"


_DETAILS: Mapping[int, Callable[[_Report], None]] = {
    400: _bad_request,
    401: _unauthorized,
    402: _quota_spent,
    403: _forbidden,
    404: _not_found,
    429: _rate_limited,
    529: _overloaded,
}


def _param_of(message: str) -> str | None:
    """The parameter that a message of upstream's begins with: `messages.1.content.0: ...`."""
    found = _PARAM.match(message)
    return found[1].rstrip(".") if found else None


# ------------------------------------------------------------------------------------------- response headers

_KEPT = ("retry-after", "retry-after-ms", "x-should-retry")
_UNIFIED = "anthropic-ratelimit-unified"
_EPOCH = re.compile(r"[0-9]{1,12}(?:\.[0-9]{1,9})?")


def openai_headers(headers: Mapping[str, str], *, now: float) -> dict[str, str]:
    """Upstream's response headers that an OpenAI client can use, under OpenAI's names.

    Rate limits are upstream's own figures and absent where it gives none; a `reset` becomes the duration until then.
    Upstream's `anthropic-*` headers are kept as well.
    """
    theirs = {name: value for name, value in headers.items() if name.startswith("anthropic-")}
    kept = theirs | {name: headers[name] for name in _KEPT if name in headers}
    if "request-id" in headers:
        kept["x-request-id"] = headers["request-id"]
    if not theirs:
        return kept
    if "anthropic-organization-id" in theirs:
        kept["openai-organization"] = theirs["anthropic-organization-id"]
    kept.update(_limits("requests", "requests", theirs, now))
    kept.update(_limits("tokens", "tokens", theirs, now) or _limits("input-tokens", "tokens", theirs, now))
    for name, value in _unified(theirs, now).items():
        kept.setdefault(name, value)
    return kept


def _limits(theirs: str, ours: str, headers: Mapping[str, str], now: float) -> dict[str, str]:
    found = {}
    for part in ("limit", "remaining"):
        if (value := headers.get(f"anthropic-ratelimit-{theirs}-{part}")) is not None:
            found[f"x-ratelimit-{part}-{ours}"] = value
    reset = headers.get(f"anthropic-ratelimit-{theirs}-reset")
    if reset is not None:
        try:
            until = datetime.fromisoformat(reset).timestamp()
        except ValueError:
            return found
        found[f"x-ratelimit-reset-{ours}"] = duration(until - now)
    return found


def _unified(headers: Mapping[str, str], now: float) -> dict[str, str]:
    """The limits of a plan login, whose headers describe a time window and hold no counts.

    The reset is in epoch seconds, and 0 requests remain once the window is used up. Upstream does not tell the
    number of requests in a window, so no `limit` is set.
    """
    reset = headers.get(f"{_UNIFIED}-reset", "")
    if not _EPOCH.fullmatch(reset):
        return {}
    seconds = max(0.0, float(reset) - now)
    found = {"x-ratelimit-reset-requests": duration(seconds)}
    if headers.get(f"{_UNIFIED}-status") == "rejected":
        found |= {"x-ratelimit-remaining-requests": "0", "retry-after": str(round(seconds))}
    return found


def duration(seconds: float) -> str:
    """`seconds` as OpenAI writes a reset, a Go duration: "350ms", "12s", "12.5s", "6m0s", "1h2m3s"."""
    seconds = max(0.0, seconds)
    if seconds < 1:
        return f"{round(seconds * 1000)}ms"
    if seconds < 60:
        return f"{round(seconds, 1):g}s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}h{minutes}m{rest}s" if hours else f"{minutes}m{rest}s"
