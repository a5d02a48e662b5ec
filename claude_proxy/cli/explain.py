"""`claude-proxy explain`: the Anthropic request that an OpenAI request becomes, and why; nothing is sent."""

import sys
from pathlib import Path

import click
import msgspec

from claude_proxy.cli import output
from claude_proxy.cli.settings import settings
from claude_proxy.config import Config

_COLOURS = {"warning": "yellow", "changed": "cyan", "emulated": "cyan", "ignored": "yellow", "mapped": "green"}


@click.command(short_help="Show how a request is translated, and why; nothing is sent.")
@click.argument("file", default="-", type=click.Path(allow_dash=True, dir_okay=False, path_type=str))
@click.option(
    "--dialect",
    type=click.Choice(["chat", "responses", "completions"]),
    help="which API the request is for; without it, the request's fields tell",
)
@click.option("--json", "as_json", is_flag=True, help="print one JSON object with the request and the reasons")
@settings
def explain(*, config: Config, file: str, dialect: str | None, as_json: bool) -> None:
    """Show the Anthropic request that the OpenAI request in FILE (or standard input) becomes.

    The request goes to standard output, and a line for each parameter that was mapped, changed, emulated or ignored
    to standard error. Nothing is sent and no credential is read: what a model accepts comes from the built-in table.
    """
    from claude_proxy.dialects.catalog import DIALECTS, detect
    from claude_proxy.dialects.explain import explained
    from claude_proxy.translate.models import SHIPPED, model_for, resolve
    from claude_proxy.wire.decoding import NULL, decode, repaired

    body = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
    fields = decode(msgspec.json.Decoder(dict[str, msgspec.Raw]).decode, repaired(body))
    documented = DIALECTS[dialect or detect(fields)]
    ask = documented.dialect.read(body)
    target = resolve(ask.model, config.aliases, SHIPPED, retired=config.retired_models)
    model = model_for(target.id, {}, instead_of=target.instead_of)
    translations = ask.translate(model=model, options=config, memory=None).translations
    given = [key for key, value in fields.items() if value != NULL]
    rows = [row for each in translations for row in explained(given, each, documented.parameters)]
    requests = [msgspec.Raw(each.body) for each in translations]
    request = requests[0] if len(requests) == 1 else msgspec.Raw(msgspec.json.encode(requests))
    _show(request, list(dict.fromkeys(rows)), ",".join(translations[0].betas), as_json=as_json)


def _show(request: msgspec.Raw, rows: list[tuple[str, str, str]], betas: str, *, as_json: bool) -> None:
    """Print the request, or the list of requests, and the reasons.

    The request stays JSON text: Python's own decoder refuses integers of more than 4,300 digits.
    """
    if as_json:
        reasons = [{"kind": kind, "param": param, "reason": reason} for kind, param, reason in rows]
        shown = {"request": request, "anthropic-beta": betas or None, "reasons": reasons}
        output.show(_indented(msgspec.json.encode(shown)))
        return
    output.show(_indented(bytes(request)))
    for kind, param, reason in rows:
        output.say(f"{click.style(kind.ljust(8), fg=_COLOURS[kind])}  {output.printable(f'{param}: {reason}')}")
    if betas:
        output.say(f"{'header'.ljust(8)}  anthropic-beta: {betas}")


def _indented(document: bytes) -> str:
    return msgspec.json.format(document, indent=2).decode()
