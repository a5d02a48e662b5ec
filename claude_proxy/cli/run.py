"""`claude-proxy run -- CMD`: a command whose OpenAI client talks to the daemon."""

import os
import subprocess
import sys
from collections.abc import Mapping
from typing import NoReturn

import click

from claude_proxy.cli import output
from claude_proxy.cli.env import DUMMY_KEY, openai_url, variables
from claude_proxy.cli.report import ensure_running
from claude_proxy.cli.settings import load, setting_flags
from claude_proxy.service import probe

# The exit codes of a shell for a command that does not exist or is not executable.
NOT_FOUND = 127
NOT_EXECUTABLE = 126


@click.command(
    short_help="Run a command whose OpenAI client uses the daemon.",
    context_settings={"ignore_unknown_options": False, "allow_interspersed_args": False},
)
@setting_flags
@click.argument("command", nargs=-1, required=True, metavar="-- COMMAND [ARGS]...")
@click.pass_context
def run(ctx: click.Context, *, flags: Mapping[str, object], command: tuple[str, ...]) -> None:
    """Run a command whose OpenAI client uses the daemon, which is started if it does not run.

    The command replaces this process: it receives signals, and its exit code is the exit code.
    """
    record = ensure_running(load(flags))[0].record
    key = probe.key_headers(record.key_file).get("Authorization", DUMMY_KEY).removeprefix("Bearer ")
    try:
        _replace_process(command, {**os.environ, **variables(openai_url(record.url or ""), key)})
    except FileNotFoundError:
        output.error(f"no such command: {command[0]}")
        ctx.exit(NOT_FOUND)
    except PermissionError:
        output.error(f"not executable: {command[0]}")
        ctx.exit(NOT_EXECUTABLE)


def _replace_process(command: tuple[str, ...], environ: Mapping[str, str]) -> NoReturn:
    if sys.platform == "win32":  # where a shell would not wait for the new process
        sys.exit(subprocess.call(command, env=environ))  # noqa: S603 - as below
    os.execvpe(command[0], command, environ)  # noqa: S606 - the command is the user's own
