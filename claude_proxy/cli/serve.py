"""`claude-proxy serve`: the daemon in the foreground, for service managers, containers and terminals."""

import os
import socket
from collections.abc import Callable
from pathlib import Path

import click

from claude_proxy import log
from claude_proxy.cli.settings import load, settings
from claude_proxy.config import Config
from claude_proxy.paths import paths
from claude_proxy.service import daemon, ports
from claude_proxy.service.background import check_log
from claude_proxy.service.notify import Notifier, listening_sockets, logs_to_journal
from claude_proxy.service.notify import manager as manager_of

# A socket on all addresses is reached by this one: 0.0.0.0 and :: are not addresses to connect to.
EVERYWHERE = {"//0.0.0.0:": "//127.0.0.1:", "//[::]:": "//[::1]:"}


@click.command(short_help="Run the daemon in the foreground, for service managers and containers.")
@click.option("--background", is_flag=True, hidden=True, help="log to the file; used by `start`")
@settings
def serve(config: Config, *, background: bool) -> int:
    """Run the daemon in the foreground, for service managers and containers.

    SIGTERM or Ctrl-C stops it after open answers have finished; a second signal stops it at once. SIGHUP makes it read
    the settings file again; the log names changed settings that need a restart.
    """
    places = paths()
    notifier, sockets = Notifier(os.environ), listening_sockets(os.environ)
    manager = manager_of(os.environ)
    if background and manager == "foreground":
        manager = "background"
    file = places.log_file if background else None
    if file:
        check_log(file)
    to_journal = logs_to_journal(os.environ)

    def set_up_log(config: Config) -> None:
        style = "journal" if config.log_format == "text" and to_journal else config.log_format
        log.set_up(config.log_level, style=style, file=file)

    def reread() -> Config:
        fresh = load(config.flags())
        set_up_log(fresh)
        return fresh

    set_up_log(config)
    key_file = Path(config.api_key_file).expanduser() if config.api_key_file else None
    with daemon.claim(
        places, manager=manager, drain=config.drain_timeout, flags=config.flags(), key_file=key_file, log=file
    ) as claim:
        if not sockets:
            ports.check_free(config.host, config.port)
        return _serve(config, claim, notifier, sockets, reread)


def _serve(
    config: Config,
    claim: daemon.Claim,
    notifier: Notifier,
    sockets: list[socket.socket],
    reread: Callable[[], Config],
) -> int:
    from claude_proxy.diagnosis.checks import checks
    from claude_proxy.server import run

    def ready(url: str) -> None:
        for everywhere, here in EVERYWHERE.items():
            url = url.replace(everywhere, here)
        claim.listening(url)
        notifier.ready(f"listening on {url}")

    def stopping(text: str) -> None:
        claim.stopping()  # before the port is free for another program
        notifier.stopping(text)

    return run.serve(
        config,
        environ=os.environ,
        ready=ready,
        nonce=claim.record.instance,
        sockets=sockets or None,
        manager=run.Manager(notifier.beat, stopping, notifier.interval or 10.0),
        reread=reread,
        store_file=paths().store_file,
        checks=lambda: list(checks(lambda: load(config.flags()), os.environ, paths())),
    )
