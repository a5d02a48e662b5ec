"""The error of a response that has failed, in the codes that a response may have."""

from claude_proxy.dialects.base import ErrorReport
from claude_proxy.wire.responses_reply import ResponseError

# The first is one of OpenAI's codes for a response; Codex acts on the others, though the SDK's type does not list them.
_KEPT = frozenset({"rate_limit_exceeded", "context_length_exceeded", "insufficient_quota", "server_is_overloaded"})


def response_error(error: ErrorReport) -> ResponseError:
    """`error` as a response has it. The `error` event before it has the exact code."""
    if error.code in _KEPT:
        code = error.code or ""
    else:
        code = "invalid_prompt" if 400 <= error.status < 500 else "server_error"
    return ResponseError(code, error.message)
