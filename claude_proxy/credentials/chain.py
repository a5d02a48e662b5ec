"""The sources of credentials in their order: which one is in force, and what is done when it runs out.

A look at the sources happens off the event loop and is remembered with the stamps of all sources that were
asked. While those stamps stand still - a few `stat` calls - the same credential is given out again; when one
moves, somebody logged in, out or over, and the sources are asked anew. A login about to expire, or one that
upstream refuses, is read again first, since somebody else may have renewed it; only then its owner, the Claude
CLI, is asked to renew it: once, however many requests wait, and not again for RETRY_RENEWAL seconds in vain.
"""

import asyncio
import logging
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from claude_proxy.config import Config
from claude_proxy.credentials.api_key_helper import ApiKeyHelper
from claude_proxy.credentials.base import Credential, Finding, Source
from claude_proxy.credentials.cli_places import CliPlaces, cli_places
from claude_proxy.credentials.console_key import ConsoleKey
from claude_proxy.credentials.environment import EnvironmentVariable
from claude_proxy.credentials.headers import may_go_to
from claude_proxy.credentials.profile import Profile
from claude_proxy.credentials.simulated import SimulatorKey
from claude_proxy.credentials.stored_login import StoredLogin, cli_renewal
from claude_proxy.credentials.system_keyring import SystemKeyring
from claude_proxy.errors import CredentialError, CredentialUnusable, NoCredential
from claude_proxy.transport import threads

_log = logging.getLogger(__name__)

RENEW_BEFORE = 300.0  # the Claude CLI's own margin: asked earlier, it would not renew
RETRY_RENEWAL = 60.0  # a renewal that failed may have met a network that was away
RENEWAL_DEADLINE = 20.0
RETRY_LOOK = 60.0  # at a source that did not answer: a network home that hung, say
# How long a look holds without another. Nobody logs in faster, and a `stat` is a tenth of what a small request costs.
SETTLED = 0.05

_WAYS_OUT = (
    "log in with `claude auth login`, or set ANTHROPIC_API_KEY, or try `claude-proxy start --simulator`,"
    " which needs no account"
)


@dataclass(frozen=True)
class Surroundings:
    """What sources are made from."""

    environ: Mapping[str, str]
    home: Path
    places: CliPlaces


# The order in which sources are asked: a key given to this program, then the Claude CLI's own order.
SOURCES: tuple[Callable[[Surroundings], Source], ...] = (
    lambda _: SystemKeyring(),
    lambda here: EnvironmentVariable("ANTHROPIC_AUTH_TOKEN", "auth_token", here.environ),
    lambda here: EnvironmentVariable("ANTHROPIC_API_KEY", "api_key", here.environ),
    lambda here: ApiKeyHelper(here.places, here.environ, here.home),
    lambda here: EnvironmentVariable("CLAUDE_CODE_OAUTH_TOKEN", "oauth", here.environ),
    lambda here: Profile("oidc_federation", here.environ, here.home),
    lambda here: StoredLogin(here.places, renewal=cli_renewal(here.places, here.environ, here.home)),
    lambda here: ConsoleKey(here.places),
    # After both: the CLI uses a person's profile only where it has no login of its own.
    lambda here: Profile("user_oauth", here.environ, here.home),
)


def credential_chain(config: Config, environ: Mapping[str, str], home: Path | None = None) -> "CredentialChain":
    """The chain for this user; with `config.simulator` it knows nothing but the simulator's made-up key."""
    if config.simulator:
        return CredentialChain([SimulatorKey()], config)
    home = home or Path(environ.get("HOME") or Path.home())
    here = Surroundings(environ, home, cli_places(environ, home))
    return CredentialChain([make(here) for make in SOURCES], config, settled=SETTLED)


def winner(findings: Sequence[Finding]) -> Finding | None:
    """The finding that is in force: the first that was found, unless one before it may not be passed over."""
    for finding in findings:
        if finding.state == "found":
            return finding
        if finding.stops:
            return None
    return None


@dataclass(frozen=True)
class _Look:
    source: Source
    stamp: object
    finding: Finding
    until: float = math.inf

    @property
    def may_end(self) -> bool:
        return self.source.moves or self.until < math.inf

    def holds(self, now: float) -> bool:
        """Whether looking again would find the same, as far as that can be told cheaply."""
        return now < self.until and self.stamp == self.source.stamp() and not self.source.aged()


@dataclass(frozen=True)
class _InForce:
    credential: Credential
    looks: tuple[_Look, ...]


@dataclass(frozen=True)
class _InVain:
    until: float
    reason: str


class CredentialChain:
    """Sources in order. Belongs to one event loop.

    For `settled` seconds after the sources were found unmoved, requests do not look whether they have moved.
    """

    def __init__(
        self,
        sources: Sequence[Source],
        config: Config,
        *,
        clock: Callable[[], float] = time.time,
        settled: float = 0.0,
    ) -> None:
        self._sources = tuple(sources)
        self._config = config
        self._clock = clock
        self._settled = settled
        self._settled_until = 0.0  # by the monotonic clock
        self._lock = asyncio.Lock()
        self._looks: dict[str, _Look] = {}
        self._in_force: _InForce | None = None
        self._in_vain: dict[Credential, _InVain] = {}
        self._renewals: dict[Credential, asyncio.Future[str | None]] = {}

    async def credential(self) -> Credential:
        """The credential in force.

        Raises NoCredential when no source has one, and CredentialUnusable when what was found cannot be used.
        """
        if self._in_force is not None and time.monotonic() < self._settled_until:
            return self._in_force.credential
        current = self._current()
        if current is None:
            async with self._lock:
                current = self._current() or await self._choose()
        return current

    async def refused(self, credential: Credential) -> Credential | None:
        """What to try instead of `credential`, which upstream answered with 401; None if there is nothing else.

        Raises CredentialError when it turns out that there is no usable credential any more.
        """
        async with self._lock:
            current = self._current() or await self._choose()
            if current.secret != credential.secret:
                return current  # it was replaced while the request was under way
            if self._vain(current):
                return None
            source = self._source(current)
            self._looks.pop(source.name, None)
            current = await self._choose()
            if current.secret == credential.secret and source.can_renew(current):
                await self._renew(source, current)
                current = await self._choose()
            if current.secret != credential.secret:
                return current
            self._give_up(current, "upstream refuses it")
            return None

    async def survey(self) -> list[Finding]:
        """What every source answers, in order, all of them asked. Renews nothing."""
        findings = await asyncio.gather(*(self._look(source) for source in self._sources))
        return [self._judged(source, found) for source, found in zip(self._sources, findings, strict=True)]

    def _current(self) -> Credential | None:
        """The remembered credential, if nothing has moved since and it lasts."""
        known = self._in_force
        now = self._clock()
        if known is None or not all(look.holds(now) for look in known.looks) or self._is_due(known.credential):
            return None
        self._settled_until = time.monotonic() + self._settled
        return known.credential

    async def _choose(self) -> Credential:
        """Ask the sources in order, as far as one that has a credential, and put that in force."""
        findings: list[Finding] = []
        for source in self._sources:
            findings.append(self._judged(source, await self._fresh(source)))
            if findings[-1].stops or findings[-1].state == "found":
                break
        chosen = winner(findings)
        if chosen is None or chosen.credential is None:
            self._in_force = None
            raise _nothing_usable(findings)
        self._announce(chosen.credential, findings)
        # On every request these are asked whether they still hold; what the environment said, for one, always does.
        looks = tuple(look for source in self._sources[: len(findings)] if (look := self._looks[source.name]).may_end)
        self._in_force = _InForce(chosen.credential, looks)
        return chosen.credential

    def _announce(self, credential: Credential, findings: Sequence[Finding]) -> None:
        if self._in_force is not None and self._in_force.credential.source == credential.source:
            return
        for finding in findings:
            if finding.state == "unusable":
                _log.warning("passed over %s: %s", finding.source, finding.detail)
        _log.info("credential in use: %s (%s)", credential.source, credential.kind)

    async def _fresh(self, source: Source) -> Finding:
        """The source's answer, renewed if it is about to run out and can be."""
        finding = await self._look(source)
        credential = finding.credential
        if credential is None or not self._is_due(credential) or self._vain(credential):
            return finding
        if not source.can_renew(credential):
            return finding
        await self._renew(source, credential)
        finding = await self._look(source)
        if finding.credential == credential:
            self._give_up(credential, "its owner did not renew it")
        return finding

    async def _renew(self, source: Source, credential: Credential) -> None:
        """Have `source` renew `credential`: one run at a time, whoever asks, and whoever leaves meanwhile."""
        running = self._renewals.get(credential)
        if running is None:
            running = threads.start(lambda: source.renew(credential), f"renew: {source.name}")
            self._renewals[credential] = running
        try:
            async with asyncio.timeout(RENEWAL_DEADLINE):
                problem = await asyncio.shield(running)
        except TimeoutError:
            problem = f"it was not renewed within {RENEWAL_DEADLINE:g} s"
        finally:
            if running.done():  # else whoever comes next waits for the same run
                self._renewals.pop(credential, None)
        self._looks.pop(source.name, None)
        if problem:
            self._give_up(credential, problem)

    async def _look(self, source: Source) -> Finding:
        """The source's answer: the remembered one while that holds."""
        known = self._looks.get(source.name)
        if known is not None and known.holds(self._clock()):
            return known.finding
        stamp, until = source.stamp(), math.inf  # before the look: a change during it is then seen by the next one
        try:
            async with asyncio.timeout(source.deadline):
                finding = await threads.start(source.look, f"look: {source.name}")
        except TimeoutError:
            finding = source.cannot_look(f"no answer within {source.deadline:g} s")
            until = self._clock() + RETRY_LOOK
        self._looks[source.name] = _Look(source, stamp, finding, until)
        return finding

    def _judged(self, source: Source, finding: Finding) -> Finding:
        """`finding`, as unusable if its credential has expired or may not go to where requests go."""
        credential = finding.credential
        if credential is None:
            return finding
        if credential.expires_at is not None and credential.expires_at <= self._clock():
            detail = f"expired {_moment(credential.expires_at)}"
            if vain := self._vain(credential):
                detail = f"{detail}, and {vain.reason}"
            return replace(finding, state="unusable", detail=detail, hint=source.way_out, credential=None)
        try:
            may_go_to(credential, self._config)
        except CredentialUnusable as exc:
            return replace(finding, state="unusable", detail=exc.message, hint=exc.hint, credential=None)
        return finding

    def _is_due(self, credential: Credential) -> bool:
        return credential.expires_at is not None and credential.expires_at - self._clock() <= RENEW_BEFORE

    def _vain(self, credential: Credential) -> _InVain | None:
        """The failure to replace exactly this credential, while it is fresh; a changed store is another credential."""
        known = self._in_vain.get(credential)
        return known if known and self._clock() < known.until else None

    def _give_up(self, credential: Credential, reason: str) -> None:
        if not self._vain(credential):
            self._in_vain = {credential: _InVain(self._clock() + RETRY_RENEWAL, reason)}
            _log.warning("cannot replace the credential from %s: %s", credential.source, reason)

    def _source(self, credential: Credential) -> Source:
        return next(source for source in self._sources if source.name == credential.source)


def _moment(epoch: float) -> str:
    return datetime.fromtimestamp(epoch, UTC).strftime("%Y-%m-%d %H:%M UTC")


def _nothing_usable(findings: Sequence[Finding]) -> CredentialError:
    for finding in findings:
        if finding.state == "unusable":
            return CredentialUnusable(f"cannot use {finding.source}: {finding.detail}", hint=finding.hint or _WAYS_OUT)
    looked = "; ".join(f"{finding.source}: {finding.detail}" for finding in findings)
    return NoCredential(f"no Anthropic credential found; looked at: {looked}", hint=_WAYS_OUT)
