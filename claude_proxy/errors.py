"""Every error this program reports, as one tree.

    ProxyError
    ├── InvalidRequest            400  the client's request; `param` names the place
    │   ├── Unauthorized          401  the door: a key is demanded and was not given
    │   ├── Forbidden             403  the door: this Host, Origin or peer may not come in
    │   ├── NotFound              404  no such route, model or object
    │   ├── MethodNotAllowed      405
    │   ├── PayloadTooLarge       413
    │   └── UnsupportedMediaType  415
    ├── CredentialError           401  the machine's Anthropic credentials; `hint` names the way out
    │   ├── NoCredential               nothing was found in any source
    │   └── CredentialUnusable         something was found, and it cannot be used (expired, blanked, …)
    ├── UpstreamError                  Anthropic's side
    │   ├── UpstreamRefused       4xx/5xx, mapped from what upstream answered
    │   ├── UpstreamUnreachable   502  no connection, TLS or DNS
    │   ├── UpstreamTimeout       504  silent for longer than allowed
    │   └── UpstreamDisconnected  502  the reply ended before its end
    ├── ConfigError                    a setting that cannot be used
    └── ServiceError                   the background process: cannot start, stop or tell

An error is raised where it is understood. `server/replies.py` turns it into a body, `cli/main.py` into an
exit code; nobody else does. The four keys of the body are OpenAI's: message, type, param, code.
"""

from collections.abc import Mapping


class ProxyError(Exception):
    """An error with everything a client and a person need to act on it.

    `message` goes to the client and never holds a secret. `hint` says what to do; it is for a person, so it is
    shown by the CLI and appended to the message in HTTP bodies. `headers` are response headers worth keeping
    (`retry-after`, rate limits).
    """

    status = 500
    type = "server_error"
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
    type = "invalid_request_error"


class Unauthorized(InvalidRequest):
    status = 401


class Forbidden(InvalidRequest):
    status = 403
    code = "forbidden"


class NotFound(InvalidRequest):
    status = 404
    code = "not_found"


class MethodNotAllowed(InvalidRequest):
    status = 405
    code = "method_not_allowed"


class PayloadTooLarge(InvalidRequest):
    status = 413
    code = "request_too_large"


class UnsupportedMediaType(InvalidRequest):
    status = 415
    code = "unsupported_media_type"


class CredentialError(ProxyError):
    status = 401
    type = "invalid_request_error"
    code = "invalid_api_key"


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
    code = "timeout"


class UpstreamDisconnected(UpstreamError):
    code = "upstream_disconnected"


class ConfigError(ProxyError):
    type = "config_error"


class ServiceError(ProxyError):
    type = "service_error"
