"""`claude-proxy credentials`: every source of credentials in order, and the user's own key."""

import asyncio
import json
import logging
import os
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import click

from claude_proxy.cli import output
from claude_proxy.cli.report import KINDS
from claude_proxy.cli.settings import load
from claude_proxy.cli.status import duration
from claude_proxy.config import Config
from claude_proxy.credentials.base import Credential, Finding, Secret
from claude_proxy.credentials.chain import credential_chain
from claude_proxy.credentials.terms import terms_note
from claude_proxy.errors import CredentialError
from claude_proxy.log import redacted

IN_USE = "in use"


@dataclass(frozen=True)
class _Survey:
    """What every source found, the credential in force, and the error if there is none."""

    findings: Sequence[Finding]
    credential: Credential | None
    error: CredentialError | None


@click.group(invoke_without_command=True, short_help="Show the sources of credentials, and which one is used.")
@click.option("--json", "as_json", is_flag=True, help="print one JSON object")
@click.pass_context
def credentials(ctx: click.Context, *, as_json: bool) -> None:
    """Show the sources of credentials, in order, and which one is used.

    Of a secret only the last four characters are shown. An expired login is renewed by the program that owns it, as
    for a request. Exits with 1 when no credential can be used.
    """
    # What the sources log is part of the output below.
    logging.getLogger("claude_proxy.credentials").addHandler(logging.NullHandler())
    if ctx.invoked_subcommand is not None:
        return
    survey = asyncio.run(_survey(load()))
    if as_json:
        output.show(json.dumps(_as_json(survey), indent=2))
    else:
        _show(survey)
    if survey.error:
        raise type(survey.error)(survey.error.message.partition(";")[0], hint=survey.error.hint)


@credentials.command(short_help="Ask upstream whether it accepts the credential in use; costs nothing.")
def check() -> None:
    """Ask upstream whether it accepts the credential in use.

    Sends one request for the list of models, which costs nothing.
    """
    config = load()
    if config.simulator:
        output.show("the built-in simulator is in use: it needs no credential")
        return
    with output.progress("asking upstream"):
        credential = asyncio.run(_check(config))
    output.show(f"{config.base_url} accepts it: {credential.source} ({', '.join(_facts(credential))})")
    if note := terms_note(credential):
        output.say(note)


@credentials.command("set", short_help="Store an API key in the system keyring, for this program alone.")
def set_key() -> None:
    """Store an API key in the system keyring, for this program alone.

    The key is typed without echo, or read from a pipe; it is never an argument. It precedes all other sources.
    """
    from claude_proxy.credentials.system_keyring import remember

    text = click.prompt("Anthropic API key", hide_input=True, err=True) if sys.stdin.isatty() else sys.stdin.read()
    keyring = remember(Secret(text.strip()))
    output.say(f"stored in {keyring}; a running daemon uses it from the next request on")


@credentials.command(short_help="Remove the key that `set` stored.")
def forget() -> None:
    """Remove the key that `set` stored. Keys that other programs stored are kept."""
    from claude_proxy.credentials import system_keyring

    output.say("removed" if system_keyring.forget() else "no key was stored")


async def _survey(config: Config) -> _Survey:
    chain = credential_chain(config, os.environ)
    credential, error = None, None
    try:
        credential = await chain.credential()
    except CredentialError as exc:
        error = exc
    return _Survey(await chain.survey(), credential, error)


def _show(survey: _Survey) -> None:
    rows = [
        [
            finding.source,
            _state(finding, survey),
            ", ".join(filter(None, [finding.detail, *_facts(finding.credential)])),
        ]
        for finding in survey.findings
    ]
    output.table(["SOURCE", "ANSWER", "DETAIL"], rows)
    for finding in survey.findings:
        if finding.hint and not survey.error:
            output.say(output.printable(f"{finding.source}: {finding.hint}"))
    if survey.credential:
        output.say(f"in use: {survey.credential.source}, the first that can be used")
        if note := terms_note(survey.credential):
            output.say(note)


def _state(finding: Finding, survey: _Survey) -> str:
    if survey.credential and finding.source == survey.credential.source:
        return IN_USE
    return finding.state


def _facts(credential: Credential | None) -> Iterator[str]:
    if credential is None:
        return
    yield f"{KINDS[credential.kind]} {credential.secret.tail}"
    if credential.subscription:
        yield f"{credential.subscription} plan"
    if credential.expires_at is not None:
        yield f"expires in {duration(credential.expires_at - time.time())}"


def _as_json(survey: _Survey) -> dict[str, object]:
    return {
        "in_use": survey.credential.source if survey.credential else None,
        "error": survey.error.message if survey.error else None,
        "sources": [_finding_as_json(finding) for finding in survey.findings],
    }


def _finding_as_json(finding: Finding) -> dict[str, object]:
    document: dict[str, object] = {
        "source": finding.source,
        "state": finding.state,
        "detail": finding.detail,
        "hint": finding.hint,
    }
    if credential := finding.credential:
        document |= {
            "kind": credential.kind,
            "tail": credential.secret.tail,
            "expires_at": credential.expires_at,
            "scopes": list(credential.scopes),
            "subscription": credential.subscription,
            "workspace": credential.workspace,
        }
    return document


async def _check(config: Config) -> Credential:
    """The credential that upstream took. Raises what a client would get."""
    from claude_proxy.translate.failure import upstream_failure
    from claude_proxy.upstream.base import NativeRequest
    from claude_proxy.upstream.factory import make_backend

    chain = credential_chain(config, os.environ)
    backend = make_backend(config, chain, os.environ)
    try:
        with await backend.native(NativeRequest("GET", "/v1/models?limit=1")) as reply:
            body = await reply.read()
            if reply.status != 200:
                shown = redacted(body.decode("utf-8", "replace")).encode()  # it may quote what it was sent
                raise upstream_failure(reply.status, reply.headers, shown, now=time.time())
        return await chain.credential()
    finally:
        await backend.close()
