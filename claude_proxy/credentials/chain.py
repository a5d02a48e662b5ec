"""The sources of credentials in their order: which credential is in force, and what is done when it expires.

The credential in force is given out again while the sources that were asked for it have not changed, which costs a
few `stat` calls; when one has changed (a login, a logout, another account), the sources are asked anew. A login
that expires within RENEW_BEFORE seconds is renewed in the background by its owner, the Claude CLI, and used
meanwhile; requests wait for the renewal only once it has expired. One that upstream refuses is read again first,
since another process may have renewed it, and renewed only then: once, however many requests wait, and not again
for RETRY_RENEWAL seconds after a failure.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from claude_proxy.config import Config
from claude_proxy.credentials.api_key_helper import ApiKeyHelper
from claude_proxy.credentials.base import Credential, Finding, Source
from claude_proxy.credentials.cached_source import CachedSource
from claude_proxy.credentials.claude_cli_paths import ClaudeCliPaths, claude_cli_paths, home_directory
from claude_proxy.credentials.console_key import ConsoleKey
from claude_proxy.credentials.environment import EnvironmentVariable
from claude_proxy.credentials.headers import may_go_to
from claude_proxy.credentials.profile import Profile
from claude_proxy.credentials.renewer import Renewer
from claude_proxy.credentials.simulated import SimulatorKey
from claude_proxy.credentials.stored_login import StoredLogin, claude_cli_renewal
from claude_proxy.credentials.system_keyring import SystemKeyring
from claude_proxy.errors import CredentialError, CredentialUnusable, NoCredential

_log = logging.getLogger(__name__)

RENEW_BEFORE = 300.0  # the Claude CLI's own margin: before that it would not renew
# For this long after a check the sources are not checked again: a `stat` is a tenth of what a small request costs.
RECHECK_INTERVAL = 0.05

_HINT = (
    "log in with `claude auth login`, or set ANTHROPIC_API_KEY, or try `claude-proxy start --simulator`,"
    " which needs no account"
)


@dataclass(frozen=True)
class SourceContext:
    """What sources are made from."""

    environ: Mapping[str, str]
    home: Path
    paths: ClaudeCliPaths


# The order in which sources are asked: a key given to this program, then the Claude CLI's own order.
SOURCES: tuple[Callable[[SourceContext], Source], ...] = (
    lambda _: SystemKeyring(),
    lambda context: EnvironmentVariable("ANTHROPIC_AUTH_TOKEN", "auth_token", context.environ),
    lambda context: EnvironmentVariable("ANTHROPIC_API_KEY", "api_key", context.environ),
    lambda context: ApiKeyHelper(context.paths, context.environ, context.home),
    lambda context: EnvironmentVariable("CLAUDE_CODE_OAUTH_TOKEN", "oauth", context.environ),
    lambda context: Profile("oidc_federation", context.environ, context.home),
    lambda context: StoredLogin(
        context.paths, renewal=claude_cli_renewal(context.paths, context.environ, context.home)
    ),
    lambda context: ConsoleKey(context.paths),
    # After both: the CLI uses a person's profile only where it has no login of its own.
    lambda context: Profile("user_oauth", context.environ, context.home),
)


def credential_chain(config: Config, environ: Mapping[str, str], home: Path | None = None) -> "CredentialChain":
    """The chain for this user; with `config.simulator` it holds only the simulator's made-up key."""
    if config.simulator:
        return CredentialChain([SimulatorKey()], config)
    home = home or home_directory(environ)
    context = SourceContext(environ, home, claude_cli_paths(environ, home))
    return CredentialChain([make(context) for make in SOURCES], config, recheck_interval=RECHECK_INTERVAL)


def winner(findings: Sequence[Finding]) -> Finding | None:
    """The finding that is in force: the first that was found, unless one before it may not be passed over."""
    for finding in findings:
        if finding.state == "found":
            return finding
        if finding.stops:
            return None
    return None


@dataclass(frozen=True)
class _InForce:
    credential: Credential
    basis: tuple[tuple[CachedSource, Finding | None], ...]  # what was answered by the sources that can change

    def is_unchanged(self) -> bool:
        return all(cached.is_usable() and cached.finding is finding for cached, finding in self.basis)


class CredentialChain:
    """Sources in order. Belongs to one event loop.

    For `recheck_interval` seconds after the sources were found unchanged, requests do not check them again.
    """

    def __init__(
        self,
        sources: Sequence[Source],
        config: Config,
        *,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
        recheck_interval: float = 0.0,
    ) -> None:
        self._sources = tuple(CachedSource(source, monotonic) for source in sources)
        self._config = config
        self._clock = clock
        self._monotonic = monotonic
        self._recheck_interval = recheck_interval
        self._checked_until = 0.0  # by the monotonic clock
        self._renewer = Renewer(clock)
        self._in_force: _InForce | None = None
        self._unusable: tuple[Finding, ...] = ()  # the answers of a search that found nothing usable
        self._search: asyncio.Task[None] | None = None
        self._hints: set[str] = set()  # those logged already

    async def credential(self) -> Credential:
        """The credential in force.

        Raises NoCredential when no source has one, and CredentialUnusable when what was found cannot be used.
        """
        if self._in_force is not None and self._monotonic() < self._checked_until:
            return self._in_force.credential
        return self._current() or await self._choose()

    def known(self) -> Credential | None:
        """The credential in force as far as it is known now; None before the first search has ended. Never waits.

        Raises CredentialError when the last search found nothing usable. Where the answer may be out of date, a
        search is started whose result a later call returns.
        """
        current = self._current()
        if current is not None:
            return current
        if self._search is None or self._search.done():
            self._search = asyncio.get_running_loop().create_task(self._choose_quietly())
        if self._unusable:
            raise _nothing_usable(self._unusable)
        return self._in_force.credential if self._in_force else None

    async def refused(self, credential: Credential) -> Credential | None:
        """What to try instead of `credential`, which upstream answered with 401; None if there is nothing else.

        Raises CredentialError when it turns out that there is no usable credential any more.
        """
        current = self._current() or await self._choose()
        if current.secret != credential.secret:
            return current  # it was replaced while the request was under way
        if self._renewer.failure(current):
            return None
        cached = self._source_of(current)
        await cached.look(again=True)
        current = await self._choose()
        if current.secret == credential.secret and cached.source.can_renew(current):
            await self._renewer.run(cached, current)
            current = await self._choose()
        if current.secret != credential.secret:
            return current
        self._renewer.give_up(current, "upstream refuses it")
        return None

    async def survey(self) -> list[Finding]:
        """What every source answers, in order, all of them asked. Renews nothing."""
        findings = await asyncio.gather(*(cached.look() for cached in self._sources))
        return [self._assess(cached, found) for cached, found in zip(self._sources, findings, strict=True)]

    def _current(self) -> Credential | None:
        """The credential in force, if it has not expired and no source has changed since it was chosen."""
        in_force = self._in_force
        if in_force is None or self._has_expired(in_force.credential) or not in_force.is_unchanged():
            return None
        if self._needs_renewal(cached := self._source_of(in_force.credential), in_force.credential):
            self._renewer.start(cached, in_force.credential)
        self._checked_until = self._monotonic() + self._recheck_interval
        return in_force.credential

    async def _choose(self) -> Credential:
        """Ask the sources in order, as far as one that has a credential, and put that in force."""
        findings: list[Finding] = []
        basis: list[tuple[CachedSource, Finding | None]] = []
        for cached in self._sources:
            finding = self._assess(cached, await self._ask(cached))
            findings.append(finding)
            if cached.can_change:
                basis.append((cached, cached.finding))
            if finding.stops or finding.state == "found":
                break
        chosen = winner(findings)
        if chosen is None or chosen.credential is None:
            self._in_force, self._unusable = None, tuple(findings)
            raise _nothing_usable(findings)
        self._log_choice(chosen, chosen.credential, findings)
        self._in_force, self._unusable = _InForce(chosen.credential, tuple(basis)), ()
        return chosen.credential

    async def _choose_quietly(self) -> None:
        with contextlib.suppress(CredentialError):  # `known` tells
            await self._choose()

    async def _ask(self, cached: CachedSource) -> Finding:
        """The source's answer. What expires soon is renewed in the background; what has expired is waited for."""
        finding = await cached.look()
        credential = finding.credential
        if credential is None or not self._needs_renewal(cached, credential):
            return finding
        if not self._has_expired(credential):
            self._renewer.start(cached, credential)
            return finding
        await self._renewer.run(cached, credential)
        return await cached.look()

    def _assess(self, cached: CachedSource, finding: Finding) -> Finding:
        """`finding`, as unusable if its credential has expired or may not be sent to the configured upstream."""
        credential = finding.credential
        if credential is None:
            return finding
        if credential.expires_at is not None and self._has_expired(credential):
            detail = f"expired {_format_time(credential.expires_at)}"
            if reason := self._renewer.failure(credential):
                detail = f"{detail}, and {reason}"
            return replace(finding, state="unusable", detail=detail, hint=cached.source.login_hint, credential=None)
        try:
            may_go_to(credential, self._config)
        except CredentialUnusable as exc:
            return replace(finding, state="unusable", detail=exc.message, hint=exc.hint, credential=None)
        return finding

    def _log_choice(self, chosen: Finding, credential: Credential, findings: Sequence[Finding]) -> None:
        if self._in_force is None or self._in_force.credential.source != credential.source:
            for finding in findings:
                if finding.state == "unusable":
                    _log.warning("passed over %s: %s", finding.source, finding.detail)
            _log.info("credential in use: %s (%s)", credential.source, credential.kind)
        if chosen.hint and chosen.hint not in self._hints:
            self._hints.add(chosen.hint)
            _log.warning("%s: %s", chosen.source, chosen.hint)

    def _needs_renewal(self, cached: CachedSource, credential: Credential) -> bool:
        """Whether `credential` expires soon, and its owner can be asked to renew it now."""
        return (
            credential.expires_at is not None
            and credential.expires_at - self._clock() <= RENEW_BEFORE
            and cached.source.can_renew(credential)
            and self._renewer.failure(credential) is None
        )

    def _has_expired(self, credential: Credential) -> bool:
        return credential.expires_at is not None and credential.expires_at <= self._clock()

    def _source_of(self, credential: Credential) -> CachedSource:
        return next(cached for cached in self._sources if cached.source.name == credential.source)


def _format_time(epoch: float) -> str:
    return datetime.fromtimestamp(epoch, UTC).strftime("%Y-%m-%d %H:%M UTC")


def _nothing_usable(findings: Sequence[Finding]) -> CredentialError:
    for finding in findings:
        if finding.state == "unusable":
            return CredentialUnusable(f"cannot use {finding.source}: {finding.detail}", hint=finding.hint or _HINT)
    answers = "; ".join(f"{finding.source}: {finding.detail}" for finding in findings)
    return NoCredential(f"no Anthropic credential found; looked at: {answers}", hint=_HINT)
