"""The Backend contract: what the endpoints need from a program or a service that answers Messages requests."""

from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Protocol, Self

from msgspec import Struct

from claude_proxy.errors import UpstreamError
from claude_proxy.transport.sink import Sink


class NativeRequest(Struct, frozen=True):
    """One request to Anthropic's own HTTP API. `path` starts with `/v1/` and keeps its query.

    Of `headers`, which are the client's, a backend takes over what upstream may see; it adds the credential itself.
    """

    method: str
    path: str
    body: bytes | None = None
    headers: Mapping[str, str] = {}


class Abilities(Struct, frozen=True):
    """What a backend can do, as data; translation warns about what a backend cannot carry.

    `native` says whether requests to Anthropic's own HTTP API can be passed on as they are, and `system_messages`
    whether messages of the role `system` may stand between others. `without_fields` names top-level fields of a
    Messages request that have no effect with this backend, each with the reason, a sentence fragment for a warning;
    `without_cache_marks` is the reason why the client's cache marks have none.
    """

    native: bool = True
    system_messages: bool = True
    without_fields: Mapping[str, str] = {}
    without_cache_marks: str | None = None


class Identity(Struct, frozen=True):
    """Which login a backend uses and so whose account pays, without any secret.

    `source`, `kind`, `subscription` and `expires_at` (epoch seconds) are the credential's; `tail` is enough of it
    to tell two keys apart. A backend that never sees the credential leaves out what it does not know.
    """

    backend: str
    source: str
    kind: str | None = None
    subscription: str | None = None
    expires_at: float | None = None
    tail: str | None = None


class BackendStatus(Struct, frozen=True):
    """Which backend answers, and why that one; what `status` shows. It holds no secret.

    `program` and `version` are those of a program that is run, as far as they are known.
    """

    name: str
    reason: str | None = None
    program: str | None = None
    version: str | None = None


class BackendChanged(UpstreamError):
    """From now on another backend answers, with other abilities: the request must be translated again and sent."""


class Reply(Protocol):
    """A reply whose head has arrived. As a context manager it ends the upstream request on exit, finished or not.

    `headers` has lower-case names; no value holds the credential. `ended` says whether the whole body has been read.
    `pipe_to` passes the body to a sink until the body ends or the sink is over, and may be called again for the rest.
    Both readers raise UpstreamTimeout when upstream is silent for too long, and UpstreamDisconnected when the body
    is cut short.
    """

    @property
    def status(self) -> int: ...

    @property
    def headers(self) -> Mapping[str, str]: ...

    @property
    def ended(self) -> bool: ...

    async def pipe_to(self, sink: Sink) -> None: ...

    async def read(self) -> bytes: ...

    def close(self) -> None: ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class Backend(Protocol):
    """Answers Messages requests with a credential of its own.

    The methods that return a Reply return when its head has arrived: `with await backend.messages(body) as reply`.
    They raise CredentialError, UpstreamUnreachable and UpstreamTimeout; an HTTP error status is a Reply like any other.
    `messages` raises BackendChanged where a backend has several ways, and has just changed to another one.
    """

    @property
    def name(self) -> str:
        """The backend's key in the factory's table."""

    @property
    def abilities(self) -> Abilities: ...

    async def messages(self, body: bytes, *, betas: Sequence[str] = (), client_retries: int = 0) -> Reply:
        """Send a Messages request. The reply has the status codes and the body, JSON or events, of `POST /v1/messages`.

        `betas` are names for `anthropic-beta`. `client_retries` says how often the client has already repeated this
        request by itself; the backend then retries as many times less.
        """

    async def models(self, after: str | None = None) -> Reply | None:
        """One page of the list of models, as `GET /v1/models` answers; `after` is the last id of the page before.

        None if this backend has no list; the table that the program ships with is used then.
        """

    async def native(self, request: NativeRequest) -> Reply:
        """Pass a request on as it is. Raises NotFound if `abilities.native` is false."""

    async def identity(self) -> Identity:
        """The login in use now. Raises CredentialError if there is none."""

    def status(self) -> BackendStatus:
        """Which backend answers now, without waiting."""

    async def close(self) -> None:
        """Release connections and processes; running replies end with an error."""
