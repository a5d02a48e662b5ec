"""Upstream's list of models, kept for a while: endpoints never wait for it, `models` waits for one request."""

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

MAX_PAGES = 20  # of 1000 models each: more is not a list but a mistake
MAX_MODELS = 256
RETRY = 30.0  # seconds after a failure during which nobody asks again


class Catalog:
    """The models by id, newest first. One request at a time asks upstream, whoever wants to know."""

    def __init__(self, backend: Backend, ttl: float, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._backend = backend
        self.ttl = ttl  # seconds, from the next answer on
        self._clock = clock
        self._live: Mapping[str, ModelInfo] = {}
        self._models: dict[Target, Model] = {}  # what was asked for since
        self._due = clock()  # when to ask upstream again
        self._asking: asyncio.Task[None] | None = None

    def snapshot(self) -> Mapping[str, ModelInfo]:
        """What is known now; empty until upstream has answered once. Asks again in the background when it is old."""
        self._ask_if_due()
        return self._live

    def model(self, target: Target) -> Model:
        """What the model `target` accepts, by all that is known now."""
        known = self._models.get(target)
        if known is None:
            if len(self._models) >= MAX_MODELS:  # clients choose the names
                self._models.clear()
            known = self._models[target] = model_for(target.id, self._live, instead_of=target.instead_of)
        return known

    async def models(self) -> tuple[ModelInfo, ...]:
        """The models, as fresh as they can be had; the shipped table when upstream has never told."""
        if (asking := self._ask_if_due()) is not None:
            await asyncio.shield(asking)
        return tuple(self._live.values()) or SHIPPED

    async def close(self) -> None:
        """End a request that is under way."""
        if self._asking is not None:
            self._asking.cancel()
            await asyncio.wait([self._asking])

    def _ask_if_due(self) -> "asyncio.Task[None] | None":
        if self._asking is None and self._clock() >= self._due:
            self._asking = asyncio.create_task(self._ask(), name="models")
        return self._asking

    async def _ask(self) -> None:
        try:
            self._live = {info.id: info for info in await self._pages()}
            self._models.clear()
            self._due = self._clock() + self.ttl
        except CredentialError:  # the request that needs one will say so
            self._due = self._clock() + RETRY
        except ProxyError as exc:
            self._due = self._clock() + RETRY
            log.warning("the list of models could not be read: %s", exc.text)
        finally:
            self._asking = None

    async def _pages(self) -> list[ModelInfo]:
        found: list[ModelInfo] = []
        after: str | None = None
        for _ in range(MAX_PAGES):
            page = await self._page(after)
            if page is None:
                break
            found += page.data
            after = page.last_id
            if not page.has_more or after is None:
                break
        return found

    async def _page(self, after: str | None) -> ModelPage | None:
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
            raise UpstreamDisconnected("upstream's list of models is not what it should be") from exc
