"""Every error this program reports, as one tree, and how each kind of failure is said to a client.

    ProxyError
    ├── InvalidRequest            400  the client's request; `param` names the part of it
    │   ├── Unauthorized          401  a key is required and was missing or wrong
    │   ├── Forbidden             403  this Host, Origin or peer is not allowed
    │   ├── NotFound              404  no such route, model or object
    │   ├── MethodNotAllowed      405
    │   ├── PayloadTooLarge       413
    │   └── UnsupportedMediaType  415
    ├── InternalError             500  a fault of this program
    ├── CredentialError           401  the machine's Anthropic credentials; `hint` says how to get one
    │   ├── NoCredential               no source has a credential
    │   └── CredentialUnusable         a credential was found and cannot be used (expired, revoked, ...)
    ├── UpstreamError                  Anthropic's side
    │   ├── UpstreamRefused       4xx/5xx, mapped from upstream's error reply
    │   ├── UpstreamUnreachable   502  no connection, TLS or DNS
    │   ├── UpstreamTimeout       504  silent for longer than allowed
    │   └── UpstreamDisconnected  502  the reply ended before its end
    ├── ConfigError                    a setting that cannot be used
    ├── StoreError            503  stored responses cannot be read or written; `code` tells why
    └── ServiceError                   the background process cannot be started, stopped or queried

An error is raised where its cause is understood. `server/replies.py` turns it into a body and `cli/main.py` into an
exit code; no other module does. The four keys of the body are OpenAI's: message, type, param, code.
"""

from collections.abc import Mapping
from typing import NamedTuple


class ErrorKind(NamedTuple):
    """One kind of failure: status, type and code in OpenAI's API, and the type in Anthropic's."""

    status: int  # HTTP status of the reply to the client
    type: str  # OpenAI's `error.type`
    code: str | None  # OpenAI's `error.code`; None where the kind alone does not tell the cause
    anthropic: str  # Anthropic's `error.type`


# By the HTTP status of the Messages API. To change how a failure is reported, change its row.
ERROR_KINDS: Mapping[int, ErrorKind] = {
    400: ErrorKind(400, "invalid_request_error", None, "invalid_request_error"),
    # Not `invalid_request_error`: LiteLLM raises BadRequestError for that type at every status.
    401: ErrorKind(401, "authentication_error", "invalid_api_key", "authentication_error"),
    402: ErrorKind(429, "insufficient_quota", "insufficient_quota", "billing_error"),
    403: ErrorKind(403, "permission_error", "insufficient_quota", "permission_error"),
    404: ErrorKind(404, "invalid_request_error", "not_found", "not_found_error"),
    409: ErrorKind(409, "conflict_error", None, "conflict_error"),
    413: ErrorKind(413, "invalid_request_error", "request_too_large", "request_too_large"),
    429: ErrorKind(429, "requests", "rate_limit_exceeded", "rate_limit_error"),
    500: ErrorKind(500, "server_error", "internal_server_error", "api_error"),
    503: ErrorKind(503, "server_error", "service_unavailable", "overloaded_error"),
    504: ErrorKind(504, "server_error", "timeout", "timeout_error"),
    # Codex retries on exactly this status and code.
    529: ErrorKind(503, "server_error", "server_is_overloaded", "overloaded_error"),
}

# The HTTP status for the `type` of an error event, which arrives after the 200 was sent. Of two statuses with one
# type the later row counts.
STATUS_OF_TYPE: Mapping[str, int] = {kind.anthropic: status for status, kind in ERROR_KINDS.items()}


def error_kind(status: int) -> ErrorKind:
    """The kind of failure that HTTP status `status` stands for; 502 for a status that is not an error's."""
    if (known := ERROR_KINDS.get(status)) is not None:
        return known
    if 400 <= status < 500:
        return ERROR_KINDS[400]._replace(status=status)
    return ErrorKind(status if 500 <= status < 600 else 502, "server_error", None, "api_error")


class ProxyError(Exception):
    """An error with everything a client and a person need to act on it.

    `message` goes to the client and never holds a secret. `hint` says what to do; the CLI shows it on a line of its
    own, and HTTP bodies append it to the message. `headers` are response headers worth keeping (`retry-after`, rate
    limits).
    """

    status = 500
    type = ERROR_KINDS[500].type
    code: str | None = None

    def __init__(
        self,
        message: str,
        *,
        param: str | None = None,
        code: str | None = None,
        hint: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.param = param
        self.hint = hint
        self.headers: Mapping[str, str] = headers or {}
        if code is not None:
            self.code = code

    @property
    def text(self) -> str:
        """The message with its hint, as one line for a body or a log."""
        return f"{self.message} ({self.hint})" if self.hint else self.message


class InvalidRequest(ProxyError):
    status = 400
    type = ERROR_KINDS[400].type


class Unauthorized(InvalidRequest):
    status = 401
    type = ERROR_KINDS[401].type
    code = ERROR_KINDS[401].code


class Forbidden(InvalidRequest):
    status = 403
    type = ERROR_KINDS[403].type
    code = "forbidden"  # the account's quota is not the cause


class NotFound(InvalidRequest):
    status = 404
    code = ERROR_KINDS[404].code


class MethodNotAllowed(InvalidRequest):
    status = 405
    code = "method_not_allowed"


class PayloadTooLarge(InvalidRequest):
    status = 413
    code = ERROR_KINDS[413].code


class UnsupportedMediaType(InvalidRequest):
    status = 415
    code = "unsupported_media_type"


class InternalError(ProxyError):
    code = ERROR_KINDS[500].code


class CredentialError(ProxyError):
    status = 401
    type = ERROR_KINDS[401].type
    code = ERROR_KINDS[401].code


class NoCredential(CredentialError):
    pass


class CredentialUnusable(CredentialError):
    pass


class UpstreamError(ProxyError):
    status = 502


class UpstreamRefused(UpstreamError):
    """Upstream answered with an error; `status`, `type` and `code` are already OpenAI's."""

    def __init__(
        self,
        message: str,
        *,
        status: int,
        type: str,  # noqa: A002 - the body's own key
        param: str | None = None,
        code: str | None = None,
        hint: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message, param=param, code=code, hint=hint, headers=headers)
        self.status = status
        self.type = type


class UpstreamUnreachable(UpstreamError):
    code = "upstream_unreachable"


class UpstreamTimeout(UpstreamError):
    status = 504
    code = ERROR_KINDS[504].code


class UpstreamDisconnected(UpstreamError):
    code = "upstream_disconnected"


class ConfigError(ProxyError):
    type = "config_error"


class StoreError(ProxyError):
    status = 503
    type = ERROR_KINDS[503].type
    code = "store_failed"


class ServiceError(ProxyError):
    type = "service_error"
