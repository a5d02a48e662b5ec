"""A source of credentials with its last answer, so that most requests cost no look.

The answer is given again while the source's fingerprint stays the same. After the answer's TTL it is given for
once more that long, while a look in the background replaces it; after that, a look is waited for. There is at most
one look at a time: one that exceeds the source's timeout counts as "cannot look" until it ends, which then gives
the source's answer. So a source that hangs delays requests once, and keeps one thread.
"""

import asyncio
import logging
import math
import traceback
from collections.abc import Callable
from functools import partial

from claude_proxy.credentials.base import Finding, Source
from claude_proxy.transport import threads

_log = logging.getLogger(__name__)

_RETRY_AFTER_DEFECT = 60.0


class CachedSource:
    """Belongs to one event loop. `finding` is the last answer; it stays the same object while nothing changes."""

    def __init__(self, source: Source, monotonic: Callable[[], float]) -> None:
        self.source = source
        self.finding: Finding | None = None
        self._monotonic = monotonic
        self._fingerprint: object = None
        self._fresh_until = self._usable_until = math.inf
        self._running: asyncio.Future[Finding] | None = None
        self._deadline = 0.0  # of the running look, by the loop's clock
        self._timed_out = False

    @property
    def can_change(self) -> bool:
        """Whether the answer may differ some day; what the environment says, for one, never does."""
        return self.source.has_fingerprint or self._fresh_until < math.inf or self._timed_out

    def is_usable(self) -> bool:
        """Whether the last answer may be given now. Starts a look in the background if it is past its TTL."""
        if self.finding is None:
            return False
        if self._timed_out:
            return True
        if self._fingerprint != self.source.fingerprint():
            return False
        now = self._monotonic()
        if self._fresh_until <= now < self._usable_until:
            self._start()
        return now < self._usable_until

    async def look(self, *, again: bool = False) -> Finding:
        """The source's answer: the last one while it is usable, unless `again` asks for another look."""
        if not again and self.finding is not None and self.is_usable():
            return self.finding
        running = self._start()
        # `wait` neither cancels the look when this caller leaves or is late, nor raises what the look raised.
        await asyncio.wait([running], timeout=max(0.0, self._deadline - asyncio.get_running_loop().time()))
        if self.finding is None or (self._running is running and not self._timed_out):
            self.finding = self.source.cannot_look(f"no answer within {self.source.look_timeout:g} s")
            self._timed_out = True
        return self.finding

    def _start(self) -> "asyncio.Future[Finding]":
        """The running look; a new one if none is running."""
        if self._running is None:
            fingerprint = self.source.fingerprint()  # before the look, so that a change during it causes another one
            self._deadline = asyncio.get_running_loop().time() + self.source.look_timeout
            self._running = threads.run_in_thread(self.source.look, f"look: {self.source.name}")
            self._running.add_done_callback(partial(self._finish, fingerprint))
        return self._running

    def _finish(self, fingerprint: object, look: "asyncio.Future[Finding]") -> None:
        error = look.exception()
        finding = look.result() if error is None else self._failure(error)
        if finding != self.finding:
            self.finding = finding
        ttl = math.inf if finding.ttl is None else finding.ttl
        self._fingerprint = fingerprint
        self._fresh_until = self._monotonic() + ttl
        self._usable_until = self._fresh_until + ttl
        self._timed_out, self._running = False, None

    def _failure(self, error: BaseException) -> Finding:
        """The answer for a look that raised, which is a defect of the source. The error's text may hold a secret."""
        frames = "".join(traceback.format_tb(error.__traceback__))
        _log.error("the look at %s raised %s\n%s", self.source.name, type(error).__name__, frames)
        return self.source.cannot_look(f"it failed with {type(error).__name__}", ttl=_RETRY_AFTER_DEFECT)
