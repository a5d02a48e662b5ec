"""Who answers a Messages request: the contract between the endpoints and whatever is upstream."""

from collections.abc import Mapping
from types import TracebackType
from typing import Protocol, Self

from msgspec import Struct

from claude_proxy.transport.sink import Sink


class UpstreamRequest(Struct, frozen=True):
    """One HTTP request to upstream. `path` starts with `/v1/` and keeps its query; credentials are added later."""

    method: str
    path: str
    body: bytes | None = None
    headers: Mapping[str, str] = {}


class Reply(Protocol):
    """An answer whose head has arrived; a context that ends the upstream request when it is left, finished or not.

    `headers` has lower-case names, and `ended` says whether the whole body has been taken. `feed` hands the body to a
    sink until it ends or the sink wants no more, and may be called again for the rest. Both readers raise
    UpstreamTimeout when upstream is silent for too long and UpstreamDisconnected when the body ends before its end.
    """

    @property
    def status(self) -> int: ...

    @property
    def headers(self) -> Mapping[str, str]: ...

    @property
    def ended(self) -> bool: ...

    async def feed(self, sink: Sink) -> None: ...

    async def read(self) -> bytes: ...

    def close(self) -> None: ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class Backend(Protocol):
    """Sends requests upstream with the credential in force.

    `send` returns when the head of the reply is there: `with await backend.send(request) as reply`. It raises
    CredentialError, UpstreamUnreachable and UpstreamTimeout; an HTTP error is a Reply like any other.
    """

    async def send(self, request: UpstreamRequest) -> Reply: ...

    async def close(self) -> None: ...
