"""`claude-proxy open`: the daemon's page in a browser."""

import json
import os
import sys
import webbrowser
from collections.abc import Mapping

import click

from claude_proxy.cli import output
from claude_proxy.cli.report import ensure_running
from claude_proxy.cli.settings import load, setting_flags
from claude_proxy.errors import ServiceError
from claude_proxy.service import probe
from claude_proxy.service.record import Record


@click.command("open", short_help="Open the daemon's page in a browser.")
@click.option("--print", "only_print", is_flag=True, help="print the address, and open nothing")
@setting_flags
def open_page(*, flags: Mapping[str, object], only_print: bool) -> None:
    """Open the daemon's page in a browser. The daemon is started if it does not run.

    Where the daemon requires a key, the page asks for a code. This command prints an address that holds one; it is
    valid once, for five minutes.
    """
    record = ensure_running(load(flags))[0].record
    url = f"{record.url}/"
    code = _new_code(record) if record.key_file else None
    # A browser's command line can be seen by other users, so the code is only printed.
    opened = not only_print and can_show(os.environ) and webbrowser.open(url)
    if code is not None:
        output.say("the page asks for a code; this address holds one that is valid once, for five minutes")
        output.show(f"{url}#code={code}")
        output.show(f"code: {code}")
    elif not opened:
        output.show(url)


def can_show(environ: Mapping[str, str]) -> bool:
    """Whether there is a screen that a browser can use. Without one, a text browser would take over the terminal."""
    if sys.platform in ("darwin", "win32"):
        return True
    return any(environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER"))


def _new_code(record: Record) -> str:
    """A code of the daemon's for its page. Raises ServiceError."""
    from http.client import HTTPException

    headers = {**probe.HEADERS, **probe.key_headers(record.key_file), "Content-Type": "application/json"}
    connection = probe.connect(record, 10.0)
    try:
        connection.request("POST", "/page/code", b"{}", headers)
        return str(json.loads(connection.getresponse().read())["code"])
    except (OSError, HTTPException, ValueError, KeyError) as exc:
        raise ServiceError("the daemon gives no code for its page", hint="`claude-proxy logs` may say why") from exc
    finally:
        connection.close()
