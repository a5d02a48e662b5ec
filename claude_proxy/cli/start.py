"""`claude-proxy start`: the daemon in the background, answering before the command returns."""

import os
import time
from dataclasses import dataclass, replace
from typing import Any

import click

from claude_proxy.cli import output
from claude_proxy.cli.env import DUMMY_KEY, openai_url
from claude_proxy.cli.settings import settings
from claude_proxy.config import Config, as_arguments, check_upstream_is_elsewhere
from claude_proxy.errors import CredentialError, ServiceError
from claude_proxy.paths import Paths, paths
from claude_proxy.service import background, choice, ports, probe, process
from claude_proxy.service.supervisor import Supervisor

KINDS = {"api_key": "API key", "auth_token": "bearer token", "oauth": "login"}
SEARCH_TIMEOUT = 10.0  # a keyring that does not answer is given up after 5 s
POLL_INTERVAL = 0.05
SIMULATED = "upstream: the built-in simulator; every answer is made up"


@click.command(short_help="Start the daemon in the background; back when it answers.")
@settings
def start(config: Config) -> None:
    """Start the daemon in the background; back when it answers.

    Starting a running daemon changes nothing. Without a credential nothing is started: `--simulator` needs none.
    """
    up = running(config)
    if up.found:
        output.say(f"claude-proxy is already running (pid {up.found}); `claude-proxy restart` restarts it")
    for line in up.facts:
        output.show(line)


@dataclass(frozen=True)
class Running:
    """A daemon that answers, and what its user should know about it, line by line.

    `found` is the pid of one that was running before.
    """

    url: str
    key_file: str | None
    facts: tuple[str, ...]
    found: int | None = None


def running(config: Config) -> Running:
    """The daemon: the one that runs, or one that is started now."""
    places = paths()
    with process.turn(places):
        if record := process.find(places):
            return replace(_running(record), found=record.pid)
        if service := choice.installed(os.environ):
            return supervised(service, config, places)
        return bring_up(config, places)


def bring_up(config: Config, places: Paths) -> Running:
    """Start the daemon in the background. Raises before anything is started if it could not serve."""
    check_upstream_is_elsewhere(config, [config.port])
    credential, note = (SIMULATED, None) if config.simulator else usable_credential(config)
    ports.check_free(config.host, config.port)
    record = background.start(places, arguments=as_arguments(config.flags()), environ=os.environ)
    output.say(f"claude-proxy started (pid {record.pid})")
    if note:
        output.say(note)
    return _running(record, credential)


def supervised(service: Supervisor, config: Config, places: Paths) -> Running:
    """Start the installed service. Its settings are its own: flags do not reach it."""
    if given := config.flags():
        raise ServiceError(
            f"{service.name} runs the daemon, and flags do not reach it: {', '.join(as_arguments(given))}",
            hint=f"write them into {places.config_file}; `claude-proxy service uninstall` takes the service away",
        )
    service.start()
    record = background.answering(places)
    output.say(f"claude-proxy started by {service.name} (pid {record.pid})")
    return _running(record, *_told(_status_after_search(record)))


def _status_after_search(record: process.Record) -> dict[str, Any]:
    """The daemon's status once its first search for a credential has ended, or as it is after SEARCH_TIMEOUT."""
    end = time.monotonic() + SEARCH_TIMEOUT
    while True:
        status = probe.get_json(record.url or "", "/status", headers=probe.key_headers(record.key_file)) or {}
        found = (status.get("credential") or {}).get("found", False)
        if found is not None or time.monotonic() >= end:
            return status
        time.sleep(POLL_INTERVAL)


def _running(record: process.Record, *facts: str) -> Running:
    url = openai_url(record.url or "")
    key = f"the key in {record.key_file}" if record.key_file else f"{DUMMY_KEY} (any key will do)"
    client = f"client: OPENAI_BASE_URL={url} OPENAI_API_KEY={key}"
    return Running(record.url or "", record.key_file, (f"base URL: {url}", client, *facts))


def _told(status: dict[str, Any]) -> list[str]:
    """The credential in force, as the daemon itself tells: its environment is not that of this shell."""
    credential = status.get("credential") or {}
    if (status.get("upstream") or {}).get("simulator"):
        return [SIMULATED]
    if credential.get("found"):
        return [f"credential: {credential.get('source')} ({KINDS.get(str(credential.get('kind')), '')})"]
    output.warn(f"no answer will come yet: {credential.get('message')}; {credential.get('hint')}")
    return []


def usable_credential(config: Config) -> tuple[str, str | None]:
    """A line about the credential in force, and what its owner should know about the terms, where they matter.

    Raises CredentialError, after showing everything that was looked at, when there is none.
    """
    import asyncio

    return asyncio.run(_usable_credential(config))


async def _usable_credential(config: Config) -> tuple[str, str | None]:
    from claude_proxy.credentials.chain import credential_chain
    from claude_proxy.credentials.terms import terms_note

    chain = credential_chain(config, os.environ)
    try:
        credential = await chain.credential()
    except CredentialError as exc:
        output.say("these places were looked at, in this order:")
        findings = await chain.survey()
        for line in output.columns([[finding.source, finding.state, finding.detail] for finding in findings]):
            output.say(f"  {line}")
        raise type(exc)(exc.message.partition(";")[0], hint=exc.hint) from exc
    return f"credential: {credential.source} ({KINDS[credential.kind]})", terms_note(credential)
