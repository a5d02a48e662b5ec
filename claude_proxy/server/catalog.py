"""A cache of upstream's list of models, refreshed in the background when it is stale."""

import asyncio
import logging
import time
from collections.abc import Callable, Mapping

import msgspec

from claude_proxy.errors import CredentialError, ProxyError, UpstreamDisconnected
from claude_proxy.translate.failure import upstream_failure
from claude_proxy.translate.models import SHIPPED, Model, Target, model_for
from claude_proxy.upstream.base import Backend
from claude_proxy.wire.anthropic import ModelInfo, ModelPage, read_models

log = logging.getLogger(__name__)

MAX_PAGES = 20  # of 1000 models each: an upstream that always says `has_more` must not be asked forever
MAX_MODELS = 256
RETRY = 30.0  # seconds from a failure to the next request


class Catalog:
    """The models by id, newest first. At most one refresh runs at a time, and all callers share it."""

    def __init__(self, backend: Backend, ttl: float, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._backend = backend
        self.ttl = ttl  # seconds; a new value holds from the next refresh on
        self._clock = clock
        self._live: Mapping[str, ModelInfo] = {}
        self._models: dict[Target, Model] = {}  # a cache, emptied by each refresh
        self._due = clock()  # when the list becomes stale
        self._refreshing: asyncio.Task[None] | None = None

    def snapshot(self) -> Mapping[str, ModelInfo]:
        """The list as it is now, without waiting; empty until upstream has answered once. A stale list is refreshed."""
        self._refresh_if_stale()
        return self._live

    def model(self, target: Target) -> Model:
        """What the model `target` accepts, by the list as it is now and the shipped table."""
        known = self._models.get(target)
        if known is None:
            if len(self._models) >= MAX_MODELS:  # clients choose the names
                self._models.clear()
            known = self._models[target] = model_for(target.id, self._live, instead_of=target.instead_of)
        return known

    async def models(self) -> tuple[ModelInfo, ...]:
        """The models, after a refresh if the list is stale; the shipped table if upstream has never answered."""
        if (refreshing := self._refresh_if_stale()) is not None:
            await asyncio.shield(refreshing)
        return tuple(self._live.values()) or SHIPPED

    async def close(self) -> None:
        """Cancel a refresh that is running."""
        if self._refreshing is not None:
            self._refreshing.cancel()
            await asyncio.wait([self._refreshing])

    def _refresh_if_stale(self) -> "asyncio.Task[None] | None":
        if self._refreshing is None and self._clock() >= self._due:
            self._refreshing = asyncio.create_task(self._refresh(), name="models")
        return self._refreshing

    async def _refresh(self) -> None:
        try:
            self._live = {info.id: info for info in await self._read_pages()}
            self._models.clear()
            self._due = self._clock() + self.ttl
        except CredentialError:  # the next request that needs one reports it
            self._due = self._clock() + RETRY
        except ProxyError as exc:
            self._due = self._clock() + RETRY
            log.warning("the list of models could not be read: %s", exc.text)
        finally:
            self._refreshing = None

    async def _read_pages(self) -> list[ModelInfo]:
        found: list[ModelInfo] = []
        after: str | None = None
        for _ in range(MAX_PAGES):
            page = await self._read_page(after)
            if page is None:
                break
            found += page.data
            after = page.last_id
            if not page.has_more or after is None:
                break
        return found

    async def _read_page(self, after: str | None) -> ModelPage | None:
        reply = await self._backend.models(after)
        if reply is None:
            return None
        with reply as upstream:
            body = await upstream.read()
            if upstream.status != 200:
                raise upstream_failure(upstream.status, upstream.headers, body, now=time.time())
        try:
            return read_models(body)
        except (msgspec.MsgspecError, UnicodeDecodeError) as exc:
            raise UpstreamDisconnected("upstream's list of models could not be decoded") from exc
