"""`claude-proxy stop`."""

import os

import click

from claude_proxy.cli import output
from claude_proxy.cli.report import report_stop, report_waiting
from claude_proxy.paths import paths
from claude_proxy.service import daemon, lifecycle


@click.command(short_help="Stop the daemon, after open answers have finished.")
def stop() -> None:
    """Stop the daemon, after open answers have finished.

    Answers still open after `drain_timeout` are cut off. If no daemon runs, that is not an error. On Windows, which
    is untested, the daemon is ended at once.
    """
    places = paths()
    with daemon.exclusive(places):
        stopped = lifecycle.stop(places, os.environ, report_waiting)
    if stopped:
        report_stop(stopped)
    else:
        output.say("claude-proxy is not running")
