"""Renewals of credentials: one at a time for each credential, and a pause after one that failed."""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from claude_proxy.credentials.base import Credential
from claude_proxy.credentials.cached_source import CachedSource
from claude_proxy.transport import threads

_log = logging.getLogger(__name__)

RETRY_RENEWAL = 60.0  # a renewal may have failed because the network was down
RENEWAL_TIMEOUT = 20.0


@dataclass(frozen=True)
class _Failure:
    retry_at: float
    reason: str


class Renewer:
    """Belongs to one event loop. Failures are kept by credential, so a changed store is tried at once."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._running: dict[Credential, asyncio.Task[None]] = {}
        self._failures: dict[Credential, _Failure] = {}

    def failure(self, credential: Credential) -> str | None:
        """Why `credential` was not renewed, while that is recent; None if a renewal may be tried."""
        known = self._failures.get(credential)
        return known.reason if known and self._clock() < known.retry_at else None

    def give_up(self, credential: Credential, reason: str) -> None:
        """Remember that `credential` cannot be replaced for now."""
        if self.failure(credential) is None:
            now = self._clock()
            recent = {known: failure for known, failure in self._failures.items() if now < failure.retry_at}
            self._failures = recent | {credential: _Failure(now + RETRY_RENEWAL, reason)}
            _log.warning("cannot replace the credential from %s: %s", credential.source, reason)

    def start(self, cached: CachedSource, credential: Credential) -> "asyncio.Task[None]":
        """Renew `credential` of the source `cached` in the background; the running renewal if there is one."""
        running = self._running.get(credential)
        if running is None:
            running = asyncio.get_running_loop().create_task(self._renew(cached, credential))
            running.add_done_callback(partial(self._finish, credential))
            self._running[credential] = running
        return running

    async def run(self, cached: CachedSource, credential: Credential) -> None:
        """Renew `credential` and wait for it, RENEWAL_TIMEOUT seconds at most; a caller may leave meanwhile."""
        try:
            async with asyncio.timeout(RENEWAL_TIMEOUT):
                await asyncio.shield(self.start(cached, credential))
        except TimeoutError:
            self.give_up(credential, f"it was not renewed within {RENEWAL_TIMEOUT:g} s")

    async def _renew(self, cached: CachedSource, credential: Credential) -> None:
        source = cached.source
        problem = await threads.run_in_thread(lambda: source.renew(credential), f"renew: {source.name}")
        finding = await cached.look(again=True)
        if finding.credential == credential:
            self.give_up(credential, problem or "its owner did not renew it")

    def _finish(self, credential: Credential, task: "asyncio.Task[None]") -> None:
        del self._running[credential]
        if not task.cancelled() and (error := task.exception()):
            self.give_up(credential, f"it failed with {type(error).__name__}")
