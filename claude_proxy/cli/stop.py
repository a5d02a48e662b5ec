"""`claude-proxy stop`."""

import os

import click

from claude_proxy.cli import output
from claude_proxy.paths import Paths, paths
from claude_proxy.service import background, choice, process


@click.command(short_help="Stop the daemon; open answers may finish first.")
def stop() -> None:
    """Stop the daemon; open answers may finish first.

    What is still open after `drain_timeout` is cut off. Stopping a stopped daemon is not an error. On Windows, which
    is untested, the daemon ends at once.
    """
    places = paths()
    with process.turn(places):
        if not stopped(places):
            output.say("claude-proxy is not running")


def stopped(places: Paths) -> bool:
    """Stop the daemon if it runs, and say so; False if there was none."""
    record = process.find(places)
    service = choice.installed(os.environ)
    if service and (record.manager == service.name if record else service.is_waiting()):
        # Its manager stops it: whoever else does is taken for a crash, or the next request starts it again.
        service.stop()
        output.say(f"claude-proxy stopped by {service.name}" + (f" (pid {record.pid})" if record else ""))
        return True
    if record is None:
        return False
    drain = record.drain
    killed = background.stop(
        record, waiting=lambda: output.say(f"waiting up to {drain:g} s for open answers to finish")
    )
    output.say(f"claude-proxy stopped (pid {record.pid})" + (": it did not end by itself and was killed" * killed))
    return True
