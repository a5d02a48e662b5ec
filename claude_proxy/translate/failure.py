"""Upstream's errors and rate limits in OpenAI's words.

Sources: Anthropic's "Errors" and "Rate limits" pages, OpenAI's error codes, and what Codex and the SDKs key on.
"""

import re
from collections.abc import Mapping
from datetime import datetime
from http import HTTPStatus

import msgspec

from claude_proxy.errors import ProxyError, UpstreamRefused
from claude_proxy.wire import anthropic

# HTTP status for the `type` of an error that arrives as an event, after the 200 is out.
_STATUS_OF_TYPE = {
    "invalid_request_error": 400,
    "authentication_error": 401,
    "billing_error": 402,
    "permission_error": 403,
    "not_found_error": 404,
    "request_too_large": 413,
    "rate_limit_error": 429,
    "api_error": 500,
    "timeout_error": 504,
    "overloaded_error": 529,
}
_TOO_LONG = ("prompt is too long", "exceed context limit", "exceeds the context window")
_OVERFLOW = re.compile(r"prompt is too long: \d+ tokens > (\d+) maximum")
_BROKE = ("credit balance is too low",)
_BAD_IMAGE = ("Could not process image",)
_SPENT = ("enforced_spend_limit_reached", "contract_spend_limit_reached")
_ONLY_CLAUDE_CODE = ("only authorized for use with claude code", "third-party apps now draw from")
_PLACE = re.compile(r"^((?:messages|system|tools|tool_choice|thinking|output_config)[\w.\[\]]*|[a-z_]+(?=: ))")
_LOGIN_HINT = "run `claude` and log in again, or set ANTHROPIC_API_KEY"
_KEY_HINT = (
    "Anthropic refuses this login outside Claude Code: use an API key (`claude-proxy credentials set` or "
    "ANTHROPIC_API_KEY), or a Console login (`claude auth login --console`)"
)


def upstream_failure(status: int, headers: Mapping[str, str], body: bytes, *, now: float) -> UpstreamRefused:
    """The error a client gets for upstream's reply. `headers` has lower-case names, `now` is in epoch seconds."""
    try:
        error = anthropic.read_error(body).error
    except (msgspec.MsgspecError, UnicodeDecodeError):  # the edge answers in HTML, or with nothing
        error = anthropic.ErrorDetail(message=f"upstream answered {status} {_phrase(status)}")
    return _mapped(status, error, openai_headers(headers, now=now))


def event_failure(error: anthropic.ErrorDetail) -> UpstreamRefused:
    """The error for an `error` event in the middle of a stream."""
    return _mapped(_STATUS_OF_TYPE.get(error.type, 500), error, {})


_THINKING = ("`thinking` block", "thinking` or `redacted_thinking` blocks", "expected `thinking`")


def refused_thinking(failure: ProxyError) -> bool:
    """Whether upstream refused the request for the signed thinking in its history."""
    return failure.status == 400 and any(words in failure.message.lower() for words in _THINKING)


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "(unknown)"


def _mapped(  # noqa: C901, PLR0912 - a table of statuses, one line each
    status: int, error: anthropic.ErrorDetail, headers: dict[str, str]
) -> UpstreamRefused:
    message = error.message or _phrase(status)
    low = message.lower()
    code = error.details.error_code if error.details else None

    def refused(
        status: int, type_: str, code: str | None, *, param: str | None = None, hint: str | None = None
    ) -> UpstreamRefused:
        return UpstreamRefused(message, status=status, type=type_, param=param, code=code, hint=hint, headers=headers)

    if status == 402 or (status == 400 and any(words in low for words in _BROKE)) or code in _SPENT:
        headers["x-should-retry"] = "false"
        return refused(429, "insufficient_quota", "insufficient_quota")
    if any(words in low for words in _ONLY_CLAUDE_CODE):
        return refused(403, "permission_error", "permission_denied", hint=_KEY_HINT)
    match status:
        case 400 if any(words in low for words in _TOO_LONG):
            if found := _OVERFLOW.search(message):
                # LiteLLM, and so aider, knows an overflow by OpenAI's sentence alone.
                message = f"This model's maximum context length is {found[1]} tokens. {message}"
            return refused(400, "invalid_request_error", "context_length_exceeded", param="messages")
        case 400 if code == "image_dimensions_too_large" or any(words in message for words in _BAD_IMAGE):
            place = _place(message) or "messages"
            return refused(400, "invalid_request_error", "invalid_value", param=f"{place}.image_url")
        case 401:
            return refused(401, "invalid_request_error", "invalid_api_key", hint=_LOGIN_HINT)
        case 403:
            hint = _LOGIN_HINT if "revoked" in low else None
            return refused(403, "permission_error", code or "permission_denied", hint=hint)
        case 404 if low.startswith("model"):
            if name := message.partition("model: ")[2]:  # all that upstream says; some clients show nothing else
                message = f"The model `{name}` does not exist or you do not have access to it."
            return refused(404, "invalid_request_error", "model_not_found", param="model")
        case 404:
            return refused(404, "invalid_request_error", "not_found")
        case 409:
            return refused(409, "conflict_error", code)
        case 413:
            return refused(413, "invalid_request_error", "request_too_large")
        case 429:
            return _rate_limited(message, code, headers)
        case 504:
            return refused(504, "server_error", "timeout")
        case 529:
            headers.setdefault("x-should-retry", "true")
            return refused(503, "server_error", "server_is_overloaded")
        case _ if 300 <= status < 400:
            message = f"upstream redirects ({status}); a credential is never sent after a redirect"
            return refused(502, "server_error", "upstream_redirect", hint="check base_url")
        case _ if 400 <= status < 500:
            return refused(status, "invalid_request_error", code, param=_place(message))
        case _:
            return refused(status if 500 <= status < 600 else 502, "server_error", code)


def _rate_limited(message: str, code: str | None, headers: dict[str, str]) -> UpstreamRefused:
    tokens = headers.get("x-ratelimit-remaining-tokens") == "0"
    wait = headers.get("retry-after", "")
    if wait.isdigit() and "try again in" not in message:
        # Codex reads the pause out of the message, with exactly these words.
        message = f"{message.rstrip('. ')}. Please try again in {wait}s."
    return UpstreamRefused(
        message,
        status=429,
        type="tokens" if tokens else "requests",
        code="rate_limit_exceeded",
        headers=headers,
    )


def _place(message: str) -> str | None:
    found = _PLACE.match(message)
    return found[1].rstrip(".") if found else None


# ------------------------------------------------------------------------------------------- response headers

_KEPT = ("retry-after", "retry-after-ms", "x-should-retry")
_UNIFIED = "anthropic-ratelimit-unified"
_EPOCH = re.compile(r"[0-9]{1,12}(?:\.[0-9]{1,9})?")


def openai_headers(headers: Mapping[str, str], *, now: float) -> dict[str, str]:
    """Upstream's response headers that mean something to an OpenAI client, under OpenAI's names.

    Rate limits come from what upstream says and are absent where it says nothing; a `reset` becomes the
    duration until then. Upstream's own `anthropic-*` headers are kept beside them.
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
    """A plan's limits, which have other headers than an API key's: windows, no counts.

    So there is a reset (epoch seconds upstream), and nothing remains when the window is used up; how many requests
    the window holds is not told, and so not said here.
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
