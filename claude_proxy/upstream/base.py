"""Who answers a Messages request: the contract between the endpoints and whatever is upstream."""

from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True)
class UpstreamRequest:
    """One HTTP request to upstream. `path` starts with `/v1/` and keeps its query; credentials are added later."""

    method: str
    path: str
    body: bytes | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


class Reply(Protocol):
    """An answer whose head has arrived. `headers` has lower-case names.

    `data` yields the body as it arrives, decompressed, never empty; both readers raise UpstreamTimeout when
    upstream is silent for too long and UpstreamDisconnected when the body ends before its end.
    """

    @property
    def status(self) -> int: ...

    @property
    def headers(self) -> Mapping[str, str]: ...

    def data(self) -> AsyncIterator[bytes]: ...

    async def read(self) -> bytes: ...


class Backend(Protocol):
    """Sends requests upstream with the credential in force.

    Leaving the context ends the upstream request at once, finished or not. `send` raises CredentialError,
    UpstreamUnreachable and UpstreamTimeout; an HTTP error is a Reply like any other.
    """

    def send(self, request: UpstreamRequest) -> AbstractAsyncContextManager[Reply]: ...

    async def close(self) -> None: ...
