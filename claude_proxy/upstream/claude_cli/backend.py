"""The Backend that answers with the user's own Claude CLI."""

import asyncio
import logging
import sys
import time
from collections.abc import Callable, Hashable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from claude_proxy.config import Config
from claude_proxy.credentials.base import Credential, Secret
from claude_proxy.credentials.chain import RENEW_BEFORE, CredentialChain
from claude_proxy.credentials.claude_cli_paths import claude_cli_paths, home_directory
from claude_proxy.credentials.fingerprint import fingerprint as file_fingerprint
from claude_proxy.credentials.headers import may_go_to
from claude_proxy.errors import CredentialError, NotFound, UpstreamUnreachable
from claude_proxy.files import make_directory
from claude_proxy.paths import paths
from claude_proxy.redaction import redactor
from claude_proxy.transport.reply import HTTPReply
from claude_proxy.transport.threads import run_in_thread
from claude_proxy.upstream import retry
from claude_proxy.upstream.base import Abilities, BackendStatus, Identity, NativeRequest, Reply
from claude_proxy.upstream.claude_cli import program as programs
from claude_proxy.upstream.claude_cli.environment import (
    Cloud,
    cloud_in,
    cloud_variables,
    process_environment,
    process_flags,
    settings_variables,
)
from claude_proxy.upstream.claude_cli.lifeline import lifeline
from claude_proxy.upstream.claude_cli.pool import ProcessPool, process_limit
from claude_proxy.upstream.claude_cli.process import Process
from claude_proxy.upstream.claude_cli.program import Program
from claude_proxy.upstream.claude_cli.request import cli_request
from claude_proxy.upstream.claude_cli.run import Run

log = logging.getLogger(__name__)

# How long a process whose client has left may go on when it may be renewing the login; see `run.py`.
RENEWAL_GRACE = 10.0
_HINT = "install it (https://claude.com/claude-code), or name its path in the setting `claude_cli`"

# Variables that hold a credential of the environment, which the CLI takes under the same name.
_TOKEN_VARIABLES = ("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "CLAUDE_CODE_OAUTH_TOKEN")

ABILITIES = Abilities(
    native=False,
    system_messages=False,
    without_fields={
        "metadata": "the Claude CLI names the end user by itself",
        "cache_control": "the Claude CLI sets the cache marks by itself",
    },
    without_cache_marks="the Claude CLI sets the cache marks by itself",
)


class _Key(NamedTuple):
    """What two requests must share to be answered by the same kind of process."""

    program: Path
    program_state: object
    login_state: object
    model: str | None
    environment: tuple[tuple[str, str], ...]


class ClaudeCliBackend:
    """A Backend that runs the Claude CLI, one process for each request."""

    name = "claude_cli"
    abilities = ABILITIES

    def __init__(
        self,
        config: Config,
        chain: CredentialChain,
        environ: Mapping[str, str],
        *,
        directory: Path | None = None,
        jitter: Callable[[], float] = lambda: 1.0,
    ) -> None:
        self._config = config
        self._chain = chain
        self._environ = dict(environ)
        self._home = home_directory(environ)
        self._paths = claude_cli_paths(environ, self._home)
        self._directory = directory
        self._jitter = jitter
        self._lifeline = lifeline()
        self._pool = ProcessPool(
            self._start, limit=process_limit(config.cli_processes, config.cli_memory), spare=config.cli_spare
        )
        self._program: Program | None = None
        self._asking: asyncio.Future[Program] | None = None

    # ------------------------------------------------------------------------------------------ the contract

    async def messages(self, body: bytes, *, betas: Sequence[str] = (), client_retries: int = 0) -> Reply:
        for attempt in range(retry.budget(self._config.retries, client_retries)):
            reply = await self._send(body, betas)
            delay = retry.delay_after(reply.status, reply.headers, attempt)
            if delay is None:
                return reply
            reply.close()
            log.info("the Claude CLI reports %d; trying again in %.1f s", reply.status, delay)
            await asyncio.sleep(delay * self._jitter())
        return await self._send(body, betas)

    async def models(self, after: str | None = None) -> Reply | None:
        return None

    async def native(self, request: NativeRequest) -> Reply:
        raise NotFound(
            "requests in the form of Anthropic's own API are not available: the Claude CLI answers",
            hint="use an OpenAI client, or the setting `backend = direct` with an API key",
        )

    async def identity(self) -> Identity:
        if (cloud := self.cloud) is not None:
            return Identity(self.name, cloud.title)
        credential = await self._chain.credential()
        return Identity(
            self.name, credential.source, credential.kind, credential.subscription, credential.expires_at, None
        )

    def status(self) -> BackendStatus:
        program = self._program
        return BackendStatus(
            self.name,
            program=str(program.path) if program else None,
            version=program.version_text if program else None,
        )

    async def close(self) -> None:
        await self._pool.close()
        await self._lifeline.close()

    # ------------------------------------------------------------------------------------------- the program

    @property
    def cloud(self) -> Cloud | None:
        """The cloud that the CLI is set up for, by the environment or by the user's settings of the CLI."""
        return cloud_in(self._variables())

    async def program(self) -> Program:
        """The installed CLI, its version asked once for each installation. Raises UpstreamUnreachable."""
        if sys.platform == "win32":
            raise UpstreamUnreachable("the Claude CLI as a backend is not available on Windows")
        path = programs.locate(self._config.claude_cli, self._environ, self._home)
        if path is None:
            where = self._config.claude_cli or "the program `claude`"
            raise UpstreamUnreachable(f"{where} was not found", hint=_HINT)
        known = self._program
        if known is not None and known.path == path and known.fingerprint == programs.fingerprint(path):
            return known
        if self._asking is None:
            environ, cwd = process_environment(self._environ, self._home), self._working_directory()
            self._asking = run_in_thread(lambda: programs.ask_version(path, environ, cwd), "claude --version")
            self._asking.add_done_callback(self._asked_version)
        program = await asyncio.shield(self._asking)
        if program.problem:
            raise UpstreamUnreachable(f"the Claude CLI ({program.path}): {program.problem}", hint="run `claude update`")
        return program

    def _asked_version(self, asking: "asyncio.Future[Program]") -> None:
        self._asking = None
        if not asking.cancelled() and asking.exception() is None:
            self._program = asking.result()
            log.info("the Claude CLI is version %s (%s)", self._program.version_text, self._program.path)

    # ------------------------------------------------------------------------------------------- one request

    async def _send(self, body: bytes, betas: Sequence[str]) -> HTTPReply:
        program = await self.program()
        request = cli_request(body, betas, model_by_setting=program.traits.model_by_setting)
        account = await self._account_variables()
        key = _Key(
            program.path,
            program.fingerprint,
            (file_fingerprint(self._paths.login_file), file_fingerprint(self._paths.settings_file)),
            None if program.traits.model_by_setting else request.model,
            tuple(sorted(account.items())),
        )
        process = await self._pool.acquire(key)
        run = Run(
            process,
            request,
            first_byte_timeout=self._config.first_byte_timeout,
            read_timeout=self._config.read_timeout,
            renewal_grace=self._renewal_grace(),
            on_begin=lambda: self._pool.warm(key),
        )
        try:
            run.start()
            await run.reply.wait_for_head()
        except BaseException:
            run.reply.close()
            raise
        return run.reply

    async def _start(self, key: Hashable) -> Process:
        assert isinstance(key, _Key)  # noqa: S101 - the pool was given it here
        environ = process_environment(self._environ, self._home, base_url=self._base_url(), extra=dict(key.environment))
        return await Process.start(
            [str(key.program), *process_flags(key.model)],
            environ=environ,
            cwd=self._working_directory(),
            lifeline=self._lifeline,
        )

    def _working_directory(self) -> Path:
        """An empty directory of our own: the CLI reads settings and instructions of the directory it runs in."""
        directory = self._directory or paths().state / "claude-cli"
        try:
            make_directory(directory)
            found = next(directory.iterdir(), None)
        except OSError as exc:
            raise UpstreamUnreachable(f"{directory} cannot be used: {exc.strerror}") from None
        if found is not None:
            raise UpstreamUnreachable(
                f"the Claude CLI runs in {directory}, which must be empty", hint=f"remove {found}"
            )
        return directory

    async def _account_variables(self) -> dict[str, str]:
        """The variables that choose the account. Raises CredentialUnusable when it may not go to the base URL."""
        variables = self._variables()
        if (cloud := cloud_in(variables)) is not None:
            return cloud_variables(cloud, variables)
        try:
            credential = await self._chain.credential()
        except CredentialError:  # the CLI may know a login that this program does not, and else says so itself
            credential = Credential("oauth", Secret(""), "Claude CLI login", stored_login=True)
        may_go_to(credential, self._config)
        if credential.source in _TOKEN_VARIABLES:
            redactor.add(credential.secret.reveal())
            return {credential.source: credential.secret.reveal()}
        return {}

    def _variables(self) -> dict[str, str]:
        return {**settings_variables(self._paths.settings_file), **self._environ}

    def _base_url(self) -> str | None:
        """The address for the CLI: only one that the settings of this program name."""
        return None if self._config.origin("base_url") == "default" else self._config.base_url

    def _renewal_grace(self) -> float:
        try:
            credential = self._chain.known()
        except CredentialError:
            return 0.0
        if credential is None or credential.expires_at is None:
            return 0.0
        return RENEWAL_GRACE if credential.expires_at - time.time() < RENEW_BEFORE else 0.0
