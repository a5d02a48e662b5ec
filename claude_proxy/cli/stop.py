"""`claude-proxy stop`."""

import click

from claude_proxy.cli import output
from claude_proxy.config import Paths, paths
from claude_proxy.service import background, process


@click.command(short_help="Stop the daemon; open answers may finish first.")
def stop() -> None:
    """Stop the daemon; open answers may finish first.

    What is still open after `drain_timeout` is cut off. Stopping a stopped daemon is not an error.
    """
    places = paths()
    with process.turn(places):
        if not stopped(places):
            output.say("claude-proxy is not running")


def stopped(places: Paths) -> bool:
    """Stop the daemon if it runs, and say so; False if there was none."""
    record = process.find(places)
    if record is None:
        return False

    def waiting() -> None:
        output.say(f"waiting up to {record.drain:g} s for open answers to finish")

    killed = background.stop(record, waiting=waiting)
    output.say(f"claude-proxy stopped (pid {record.pid})" + (": it did not end by itself and was killed" * killed))
    return True
