"""`claude-proxy restart`."""

import os

import click

from claude_proxy.cli import output
from claude_proxy.cli.service import refreshed
from claude_proxy.cli.settings import load, settings
from claude_proxy.cli.start import bring_up, supervised
from claude_proxy.cli.stop import stopped
from claude_proxy.config import Config, check_upstream_is_elsewhere
from claude_proxy.paths import paths
from claude_proxy.service import choice, process


@click.command(short_help="Stop the daemon if it runs, and start it.")
@settings
def restart(config: Config) -> None:
    """Stop the daemon if it runs, and start it.

    It starts with the settings of now: changes of the file and the environment are picked up. Flags it was started
    with stay, unless they are given anew.
    """
    places = paths()
    with process.turn(places):
        record = process.find(places)
        service = choice.installed(os.environ)
        wanted = load({**(record.flags if record else {}), **config.flags()})
        if not service:  # which has settings of its own
            check_upstream_is_elsewhere(wanted, [wanted.port])
        stopped(places)
        if service:
            refreshed(service, places)
            up = supervised(service, config, places)
        else:
            up = bring_up(wanted, places)
    for line in up.facts:
        output.show(line)
