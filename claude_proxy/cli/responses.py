"""`claude-proxy responses`: what the store holds. It reads the file itself, whether or not the daemon runs."""

import json
import sys
import time
from collections.abc import Mapping

import click

from claude_proxy.cli import output
from claude_proxy.errors import NotFound
from claude_proxy.log import one_line
from claude_proxy.paths import paths
from claude_proxy.store import responses as stored
from claude_proxy.store import store
from claude_proxy.store.database import read_only

_MEGABYTE = 1024 * 1024


@click.group(invoke_without_command=True, short_help="List, show or delete the responses that are stored.")
@click.pass_context
def responses(ctx: click.Context) -> None:
    """List, show or delete the responses that are stored.

    Without a command, the newest ones are listed. The daemon need not run.
    """
    if ctx.invoked_subcommand is None:
        ctx.invoke(list_command)


@responses.command("list", short_help="List the newest responses.")
@click.option("-n", "--limit", type=click.IntRange(min=1), default=20, show_default=True, help="how many")
@click.option("--json", "as_json", is_flag=True, help="print one JSON object")
def list_command(*, limit: int = 20, as_json: bool = False) -> None:
    """List the newest responses: id, time, status, size, and the response that each continues."""
    file = paths().store_file
    found, stats = _read(limit) if file.exists() else ([], store.Stats(0, 0, 0, None))
    if as_json:
        output.show(
            json.dumps({"file": str(file), **_plain(stats), "data": [_plain(each) for each in found]}, indent=2)
        )
        return
    output.say(
        f"{stats.responses} responses and {stats.conversations} conversations in {file}"
        f" ({stats.bytes / _MEGABYTE:.1f} MB)"
    )
    if not found:
        return
    rows = [
        [one_line(each.id), _time(each.created_at), each.status, f"{each.size:,}", each.previous_response_id or "-"]
        for each in found
    ]
    output.table(["ID", "TIME", "STATUS", "BYTES", "CONTINUES"], rows)


@responses.command(short_help="Print one response and what was sent for it.")
@click.argument("response_id", metavar="ID")
def show(response_id: str) -> None:
    """Print one response and the input items that were sent for it, as one JSON object."""
    file = paths().store_file
    found = None
    if file.exists():
        with read_only(file) as connection:
            found = stored.get(connection, response_id)
    if found is None:
        raise NotFound(f"no response is stored as {response_id}", hint="`claude-proxy responses` lists them")
    output.show(json.dumps({"response": json.loads(found.body), "input": json.loads(found.input)}, indent=2))


@responses.command(short_help="Delete all responses and conversations.")
@click.option("--yes", is_flag=True, help="do not ask first")
def purge(*, yes: bool) -> None:
    """Delete all responses and conversations that are stored. Their content is overwritten on the disk."""
    file = paths().store_file
    if not file.exists():
        output.say("nothing is stored")
        return
    if not yes and not sys.stdin.isatty():
        raise click.UsageError("confirm with `--yes`, because there is no terminal to ask at")
    if not yes:
        click.confirm(f"delete everything that is stored in {file}?", abort=True, err=True)
    output.say(f"deleted {store.purge_file(file)} responses and conversations")


def _read(limit: int) -> tuple[list[stored.Summary], store.Stats]:
    file = paths().store_file
    with read_only(file) as connection:
        return stored.newest(connection, limit), store.stats(connection, file)


def _plain(value: object) -> Mapping[str, object]:
    import msgspec

    return msgspec.structs.asdict(value)  # type: ignore[arg-type] # all of them are structs


def _time(seconds: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(seconds))
