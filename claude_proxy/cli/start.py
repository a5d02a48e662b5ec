"""`claude-proxy start`: the daemon in the background, ready before the command returns."""

import click

from claude_proxy.cli import output
from claude_proxy.cli.report import ensure_running
from claude_proxy.cli.settings import settings
from claude_proxy.config import Config


@click.command(short_help="Start the daemon in the background.")
@settings
def start(config: Config) -> None:
    """Start the daemon in the background. Returns once the daemon is ready.

    A daemon that already runs is left as it is. Without a credential nothing is started; `--simulator` needs none.
    """
    running, lines = ensure_running(config)
    if running.started_by is None:
        output.say(f"claude-proxy is already running (pid {running.record.pid}); `claude-proxy restart` restarts it")
    for line in lines:
        output.show(line)
