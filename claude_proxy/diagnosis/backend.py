"""Which backend answers, and whether the Claude CLI could."""

import asyncio
from collections.abc import Mapping

from claude_proxy.config import Config
from claude_proxy.credentials.chain import credential_chain
from claude_proxy.diagnosis.check import Check
from claude_proxy.errors import ServiceError, UpstreamUnreachable
from claude_proxy.paths import Paths
from claude_proxy.service import daemon, probe
from claude_proxy.upstream.claude_cli.backend import ClaudeCliBackend


def check_backend(config: Config, environ: Mapping[str, str], places: Paths) -> Check:
    """How Claude is asked, by the running daemon if there is one and else by the settings."""
    if config.backend == "direct":
        return Check("backend", "ok", "Anthropic's API is asked directly (`backend = direct`)")
    cloud, program, problem = asyncio.run(_look(config, environ))
    if config.backend == "cli":
        if problem is not None:
            return Check("backend", "failed", problem.message, problem.hint)
        return Check("backend", "ok", f"{program} answers (`backend = cli`)")
    reason = changed_because(places) or (f"it is set up for {cloud}" if cloud else None)
    if reason is None:
        then = f"{program} would answer" if problem is None else f"nothing would answer: {problem.message}"
        return Check("backend", "ok", f"Anthropic's API is asked directly; if it refuses a plan login, {then}")
    if problem is not None:
        return Check("backend", "failed", f"the Claude CLI should answer ({reason}): {problem.message}", problem.hint)
    return Check("backend", "ok", f"{program} answers: {reason}")


def changed_because(places: Paths) -> str | None:
    """Why the running daemon has changed to the CLI; None if it has not, or none runs."""
    record = daemon.find(places)
    if record is None or record.url is None:
        return None
    try:
        answer = probe.get_json(record, "/status") or {}
    except ServiceError:  # the check of the daemon reports it
        return None
    backend = answer.get("backend")
    reason = backend.get("reason") if isinstance(backend, dict) else None
    return reason if isinstance(reason, str) else None


async def _look(config: Config, environ: Mapping[str, str]) -> tuple[str | None, str, UpstreamUnreachable | None]:
    """The cloud that the CLI is set up for, the CLI in words, and why it cannot be used."""
    backend = ClaudeCliBackend(config, credential_chain(config, environ), environ)
    cloud = backend.cloud
    try:
        program = await backend.program()
    except UpstreamUnreachable as exc:
        return cloud.title if cloud else None, "", exc
    finally:
        await backend.close()
    return cloud.title if cloud else None, f"the Claude CLI {program.version_text} ({program.path})", None
