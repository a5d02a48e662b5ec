"""`claude-proxy doctor`: checks of the installation, the daemon, upstream and the account, each with a hint."""

import json
import os
from dataclasses import asdict

import click

from claude_proxy.cli import output
from claude_proxy.cli.settings import load, setting_flags
from claude_proxy.diagnosis.check import Check, State
from claude_proxy.paths import paths

COLOURS: dict[State, str] = {"ok": "green", "note": "yellow", "failed": "red"}


@click.command(short_help="Check the installation, the daemon, upstream and the account.")
@click.option("--json", "as_json", is_flag=True, help="print a JSON list of the checks")
@setting_flags
@click.pass_context
def doctor(ctx: click.Context, *, flags: dict[str, object], as_json: bool) -> None:
    """Check the installation, the daemon, upstream and the account. Costs nothing, changes nothing.

    Exits with 1 when a check fails.
    """
    from claude_proxy.diagnosis.checks import checks

    results: list[Check] = []
    coming = checks(lambda: load(flags), os.environ, paths())
    while True:
        with output.progress("checking"):
            check = next(coming, None)
        if check is None:
            break
        results.append(check)
        if not as_json:
            _show(check)
    if as_json:
        output.show(json.dumps([asdict(check) for check in results], indent=2))
    if any(check.state == "failed" for check in results):
        ctx.exit(1)


def _show(check: Check) -> None:
    output.show(
        f"{click.style(check.state.ljust(6), fg=COLOURS[check.state])}  "
        f"{check.name:<12} {output.printable(check.detail)}"
    )
    if check.hint:
        output.show(f"{' ' * 21}{output.printable(check.hint)}")
