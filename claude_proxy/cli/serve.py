"""`claude-proxy serve`: the daemon in the foreground, for service managers, containers and terminals."""

import os

import click

from claude_proxy import log
from claude_proxy.cli.settings import flags_of, settings
from claude_proxy.config import Config, paths
from claude_proxy.service import ports, process


@click.command(short_help="Run in the foreground, as service managers and containers want it.")
@click.option("--background", is_flag=True, hidden=True, help="log into the file; `start` says it")
@settings
def serve(config: Config, *, background: bool) -> int:
    """Run in the foreground, as service managers and containers want it.

    Ends on SIGTERM or Ctrl-C, after open answers have finished; a second signal ends it at once.
    """
    places = paths()
    file = places.log_file if background else None
    log.set_up(config.log_level, style=config.log_format, file=file)
    manager: process.Manager = "background" if background else "foreground"
    with process.claim(places, manager=manager, drain=config.drain_timeout, flags=flags_of(config), log=file) as claim:
        ports.check_free(config.host, config.port)
        return _serve(config, claim)


def _serve(config: Config, claim: process.Claim) -> int:
    from claude_proxy.server.run import serve as run

    return run(config, environ=os.environ, ready=claim.listening, nonce=claim.record.instance)
