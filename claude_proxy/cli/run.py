"""`claude-proxy run -- CMD`: a command whose OpenAI client talks to the daemon."""

import os
import subprocess
import sys
from collections.abc import Mapping
from typing import NoReturn

import click

from claude_proxy.cli import output
from claude_proxy.cli.env import DUMMY_KEY, openai_url, variables
from claude_proxy.cli.settings import load, setting_flags
from claude_proxy.cli.start import running
from claude_proxy.service import probe

# What a shell answers for a command that is not there, or is no program.
NOT_FOUND = 127
NOT_EXECUTABLE = 126


@click.command(
    short_help="Run a command whose OpenAI client talks to the daemon.",
    context_settings={"ignore_unknown_options": False, "allow_interspersed_args": False},
)
@setting_flags
@click.argument("command", nargs=-1, required=True, metavar="-- COMMAND [ARGS]...")
@click.pass_context
def run(ctx: click.Context, *, flags: Mapping[str, object], command: tuple[str, ...]) -> None:
    """Run a command whose OpenAI client talks to the daemon, which is started if it does not run.

    The command takes this process's place: signals reach it, and its exit code is the exit code.
    """
    up = running(load(flags))
    key = probe.key_headers(up.key_file).get("Authorization", DUMMY_KEY).removeprefix("Bearer ")
    try:
        _become(command, {**os.environ, **variables(openai_url(up.url), key)})
    except FileNotFoundError:
        output.error(f"no such command: {command[0]}")
        ctx.exit(NOT_FOUND)
    except PermissionError:
        output.error(f"not a program: {command[0]}")
        ctx.exit(NOT_EXECUTABLE)


def _become(command: tuple[str, ...], environ: Mapping[str, str]) -> NoReturn:
    if sys.platform == "win32":  # where the shell would not wait for what takes our place
        sys.exit(subprocess.call(command, env=environ))  # noqa: S603 - as below
    os.execvpe(command[0], command, environ)  # noqa: S606 - the command is the user's own
