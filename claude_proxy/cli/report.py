"""Lines about the daemon and the credential that several commands print."""

import os
import time
from dataclasses import dataclass
from typing import Any

from claude_proxy.cli import output
from claude_proxy.cli.env import DUMMY_KEY, openai_url
from claude_proxy.config import Config
from claude_proxy.errors import CredentialError, ServiceError
from claude_proxy.paths import paths
from claude_proxy.service import lifecycle, probe
from claude_proxy.service.lifecycle import Running, Stopped
from claude_proxy.service.record import Record

KINDS = {"api_key": "API key", "auth_token": "bearer token", "oauth": "login"}
SEARCH_TIMEOUT = 10.0  # a keyring that does not answer is given up after 5 s
POLL_INTERVAL = 0.05
SIMULATED = "upstream: the built-in simulator; its answers are made up"


@dataclass
class CredentialCheck:
    """Looks for a credential before a start; afterwards `line` tells which one it is, and `note` its terms."""

    config: Config
    line: str = SIMULATED
    note: str | None = None

    def __call__(self) -> None:
        """Raise CredentialError, after printing every source that was tried, when there is none."""
        if not self.config.simulator:
            import asyncio

            self.line, self.note = asyncio.run(_find_credential(self.config))


def ensure_running(config: Config) -> tuple[Running, list[str]]:
    """The daemon, which is started if it does not run, and lines about it; prints what was done."""
    check = CredentialCheck(config)
    with output.progress("starting the daemon"):
        running = lifecycle.ensure_running(config, paths(), os.environ, check)
    return running, report_start(running, check)


def report_start(running: Running, check: CredentialCheck | None = None) -> list[str]:
    """Print who started the daemon; returns the lines that its user needs. `check` is that of the start, if it ran."""
    lines = client_lines(running.record)
    pid = running.record.pid
    match running.started_by:
        case None:
            return lines
        case "claude-proxy":
            output.say(f"claude-proxy started (pid {pid})")
            if check and check.note:
                output.say(check.note)
            return [*lines, *([check.line] if check else [])]
        case service:
            output.say(f"claude-proxy started by {service} (pid {pid})")
            return [*lines, *_credential_lines(running.record)]


def report_stop(stopped: Stopped) -> None:
    pid = f" (pid {stopped.record.pid})" if stopped.record else ""
    by = f" by {stopped.service}" if stopped.service else ""
    output.say(f"claude-proxy stopped{by}{pid}" + (": it did not end by itself and was killed" * stopped.killed))


def report_waiting(drain: float) -> None:
    output.say(f"waiting up to {drain:g} s for open answers to finish")


def client_lines(record: Record) -> list[str]:
    """Where the daemon is, and what to set in a client."""
    url = openai_url(record.url or "")
    key = f"the key in {record.key_file}" if record.key_file else f"{DUMMY_KEY} (any key is accepted)"
    return [f"base URL: {url}", f"client: OPENAI_BASE_URL={url} OPENAI_API_KEY={key}"]


def _credential_lines(record: Record) -> list[str]:
    """The credential in use, as the daemon reports it: a service has another environment than this shell."""
    status = _status_after_search(record)
    credential = status.get("credential") or {}
    if (status.get("upstream") or {}).get("simulator"):
        return [SIMULATED]
    if credential.get("found"):
        return [f"credential: {credential.get('source')} ({KINDS.get(str(credential.get('kind')), '')})"]
    output.warn(f"requests will fail: {credential.get('message')}; {credential.get('hint')}")
    return []


def _status_after_search(record: Record) -> dict[str, Any]:
    """The daemon's status once its first search for a credential has ended, or as it is after SEARCH_TIMEOUT."""
    end = time.monotonic() + SEARCH_TIMEOUT
    while True:
        try:
            status = probe.get_json(record, "/status") or {}
        except ServiceError as exc:
            return {"credential": {"found": False, "message": exc.message, "hint": exc.hint}}
        found = (status.get("credential") or {}).get("found", False)
        if found is not None or time.monotonic() >= end:
            return status
        time.sleep(POLL_INTERVAL)


async def _find_credential(config: Config) -> tuple[str, str | None]:
    from claude_proxy.credentials.chain import credential_chain
    from claude_proxy.credentials.terms import terms_note

    chain = credential_chain(config, os.environ)
    try:
        credential = await chain.credential()
    except CredentialError as exc:
        if (line := _claude_cli_line(config)) is not None:
            return line, None
        output.say("these sources were tried, in this order:")
        findings = await chain.survey()
        for line in output.columns([[finding.source, finding.state, finding.detail] for finding in findings]):
            output.say(f"  {line}")
        raise type(exc)(exc.message.partition(";")[0], hint=exc.hint) from exc
    return f"credential: {credential.source} ({KINDS[credential.kind]})", terms_note(credential)


def _claude_cli_line(config: Config) -> str | None:
    """Whose account pays when the Claude CLI answers without a credential of ours; None when it does not answer."""
    from claude_proxy.credentials.claude_cli_paths import claude_cli_paths, home_directory
    from claude_proxy.upstream.claude_cli.environment import cloud_in, settings_variables

    if config.backend == "direct":
        return None
    settings_file = claude_cli_paths(os.environ, home_directory(os.environ)).settings_file
    if (cloud := cloud_in({**settings_variables(settings_file), **os.environ})) is not None:
        return f"account: {cloud.title}, by the Claude CLI"
    return "account: the Claude CLI's own login" if config.backend == "cli" else None
