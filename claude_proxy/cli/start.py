"""`claude-proxy start`: the daemon in the background, answering before the command returns."""

import os

import click

from claude_proxy.cli import output
from claude_proxy.cli.env import DUMMY_KEY, openai_url
from claude_proxy.cli.settings import as_arguments, flags_of, settings
from claude_proxy.config import Config, Paths, paths
from claude_proxy.errors import CredentialError
from claude_proxy.service import background, ports, process

KINDS = {"api_key": "API key", "auth_token": "bearer token", "oauth": "login"}


@click.command(short_help="Start the daemon in the background; back when it answers.")
@settings
def start(config: Config) -> None:
    """Start the daemon in the background; back when it answers.

    Starting a running daemon changes nothing. Without a credential nothing is started: `--simulator` needs none.
    """
    places = paths()
    with process.turn(places):
        if record := process.find(places):
            output.say(f"claude-proxy is already running (pid {record.pid}); `claude-proxy restart` restarts it")
            show_address(record)
            return
        bring_up(config, places)


def bring_up(config: Config, places: Paths) -> None:
    """Start the daemon and say how to use it. Raises before anything is started if it could not serve."""
    credential = None if config.simulator else usable_credential(config)
    ports.check_free(config.host, config.port)
    record = background.start(places, arguments=as_arguments(flags_of(config)), environ=os.environ)
    output.say(f"claude-proxy started (pid {record.pid})")
    show_address(record)
    for line in credential or ["upstream: the built-in simulator; every answer is made up"]:
        output.show(line)


def show_address(record: process.Record) -> None:
    """What to set in a client."""
    url = openai_url(record.url or "")
    output.show(f"base URL: {url}")
    output.show(f"client: OPENAI_BASE_URL={url} OPENAI_API_KEY={DUMMY_KEY} (any key will do)")


def usable_credential(config: Config) -> list[str]:
    """The lines about the credential in force: source, kind, and the terms where they matter.

    Raises CredentialError, after showing everything that was looked at, when there is none.
    """
    import asyncio

    return asyncio.run(_usable_credential(config))


async def _usable_credential(config: Config) -> list[str]:
    from claude_proxy.credentials.chain import credential_chain

    chain = credential_chain(config, os.environ)
    try:
        credential = await chain.credential()
    except CredentialError as exc:
        output.say("these places were looked at, in this order:")
        findings = await chain.survey()
        for line in output.columns([[finding.source, finding.state, finding.detail] for finding in findings]):
            output.say(f"  {line}")
        raise type(exc)(exc.message.partition(";")[0], hint=exc.hint) from exc
    return [f"credential: {credential.source} ({KINDS[credential.kind]})"]
