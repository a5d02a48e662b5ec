"""The error replies of the Messages API: status, type and message."""

from collections.abc import Mapping
from typing import Any

import msgspec

# The error type of each status; any other 4xx is an invalid_request_error.
TYPES: Mapping[int, str] = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    409: "conflict_error",
    413: "request_too_large",
    429: "rate_limit_error",
    500: "api_error",
    503: "api_error",
    504: "timeout_error",
    529: "overloaded_error",
}


class ApiError(Exception):
    """Ends a request with `status` and Anthropic's error body; `type` follows from the status unless given."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        type: str | None = None,  # noqa: A002 - the body's own key
        headers: Mapping[str, str] | None = None,
        details: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.type = type or TYPES.get(status, "api_error" if status >= 500 else "invalid_request_error")
        self.headers: Mapping[str, str] = headers or {}
        self.details = details

    def value(self, request_id: str) -> dict[str, Any]:
        """The body, which is also the data of an `error` event."""
        # A header quoted in the message may hold bytes that are not UTF-8; aiohttp decodes them to surrogates.
        message = self.message.encode("utf-8", "backslashreplace").decode()
        error: dict[str, Any] = {"type": self.type, "message": message}
        if self.details:
            error["details"] = dict(self.details)
        return {"type": "error", "error": error, "request_id": request_id}

    def body(self, request_id: str) -> bytes:
        return msgspec.json.encode(self.value(request_id))


def invalid(message: str) -> ApiError:
    """A 400 invalid_request_error, the reply to nearly every rejected request."""
    return ApiError(400, message)
