"""`claude-proxy restart`."""

import click

from claude_proxy.cli.settings import flags_of, load, settings
from claude_proxy.cli.start import bring_up
from claude_proxy.cli.stop import stopped
from claude_proxy.config import Config, paths
from claude_proxy.service import process


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
        config = load({**(record.flags if record else {}), **flags_of(config)})
        stopped(places)
        bring_up(config, places)
