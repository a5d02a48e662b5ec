"""Asks Anthropic directly until that is refused, and from then on the user's Claude CLI.

    direct -> cli        never back, for as long as the process lives

The change happens when Anthropic refuses a plan login because it is used outside Claude Code (the texts are in
`wire/refusals.py`) and the Claude CLI is installed, or at once when the CLI is set up for a cloud, whose credential is
of no use for Anthropic's own API. A key and a Console login never go through the CLI this way.
"""

import logging
from collections.abc import Sequence
from types import TracebackType
from typing import Self

import msgspec

from claude_proxy.credentials.chain import CredentialChain
from claude_proxy.credentials.system_keyring import SystemKeyring
from claude_proxy.credentials.terms import is_plan_login
from claude_proxy.errors import CredentialError, UpstreamUnreachable
from claude_proxy.transport.sink import Sink
from claude_proxy.upstream.anthropic import AnthropicBackend
from claude_proxy.upstream.base import (
    Abilities,
    BackendChanged,
    BackendStatus,
    Identity,
    NativeRequest,
    Reply,
)
from claude_proxy.upstream.claude_cli.backend import ClaudeCliBackend
from claude_proxy.wire.anthropic import read_error
from claude_proxy.wire.refusals import refuses_plan_login

log = logging.getLogger(__name__)

_REFUSAL_STATUSES = (400, 403)
_REFUSED = "Anthropic refuses this plan login outside Claude Code"


class AutoBackend:
    """A Backend of two: `direct` answers first."""

    def __init__(self, direct: AnthropicBackend, cli: ClaudeCliBackend, chain: CredentialChain) -> None:
        self._direct = direct
        self._cli = cli
        self._chain = chain
        self._reason: str | None = None  # why the CLI answers; None while it does not
        self._looked_for_cloud = False

    @property
    def name(self) -> str:
        return self._active.name

    @property
    def abilities(self) -> Abilities:
        """Those of the backend that answers; native requests go to Anthropic directly, whichever that is."""
        return msgspec.structs.replace(self._active.abilities, native=True)

    async def messages(self, body: bytes, *, betas: Sequence[str] = (), client_retries: int = 0) -> Reply:
        if self._reason is not None:
            return await self._cli.messages(body, betas=betas, client_retries=client_retries)
        if not self._looked_for_cloud:
            await self._look_for_cloud()
        reply = await self._direct.messages(body, betas=betas, client_retries=client_retries)
        if reply.status not in _REFUSAL_STATUSES:
            return reply
        return await self._unless_refused(reply)

    async def models(self, after: str | None = None) -> Reply | None:
        return await self._active.models(after)

    async def native(self, request: NativeRequest) -> Reply:
        return await self._direct.native(request)

    async def identity(self) -> Identity:
        return await self._active.identity()

    def status(self) -> BackendStatus:
        return msgspec.structs.replace(self._active.status(), reason=self._reason)

    async def close(self) -> None:
        await self._cli.close()
        await self._direct.close()

    @property
    def _active(self) -> AnthropicBackend | ClaudeCliBackend:
        return self._direct if self._reason is None else self._cli

    async def _look_for_cloud(self) -> None:
        """Change to the CLI if it is set up for a cloud and the user gave this program no key of its own."""
        cloud = self._cli.cloud
        if cloud is not None and await self._source() != SystemKeyring.name:
            await self._change(f"the Claude CLI is set up for {cloud.title}")
        self._looked_for_cloud = True

    async def _source(self) -> str | None:
        try:
            return (await self._chain.credential()).source
        except CredentialError:
            return None

    async def _has_plan_login(self) -> bool:
        credential = await self._chain.credential()
        return is_plan_login(credential.kind, credential.source, credential.subscription)

    async def _unless_refused(self, reply: Reply) -> Reply:
        """The reply, an error, unless it refuses a plan login and the CLI can answer instead."""
        body = await reply.read()
        reply.close()
        if _refuses_plan_login(body) and await self._has_plan_login():
            try:
                await self._change(_REFUSED)
            except UpstreamUnreachable as exc:
                log.warning("%s, and the Claude CLI cannot answer instead: %s", _REFUSED, exc.text)
        return _Read(reply, body)

    async def _change(self, reason: str) -> None:
        """Let the CLI answer from now on. Raises UpstreamUnreachable if it cannot, and else BackendChanged."""
        program = await self._cli.program()
        if self._reason is None:
            self._reason = reason
            log.warning("%s: from now on %s (%s) answers", reason, program.path, program.version_text)
        raise BackendChanged(reason)


class _Read:
    """A reply whose body has been read."""

    def __init__(self, reply: Reply, body: bytes) -> None:
        self.status = reply.status
        self.headers = reply.headers
        self.ended = False
        self._body = body

    async def pipe_to(self, sink: Sink) -> None:
        body, self._body, self.ended = self._body, b"", True
        if body and (wait := sink.feed(body)) is not None:
            await wait()

    async def read(self) -> bytes:
        body, self._body, self.ended = self._body, b"", True
        return body

    def close(self) -> None:
        pass

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _refuses_plan_login(body: bytes) -> bool:
    try:
        return refuses_plan_login(read_error(body).error.message)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return False
