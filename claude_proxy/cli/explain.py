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
@click.option("--json", "as_json", is_flag=True, help="print one JSON object with the request and the reasons")
@settings
def explain(*, config: Config, file: str, as_json: bool) -> None:
    """Show the Anthropic request that the OpenAI request in FILE (or standard input) becomes.

    The request goes to standard output, and a line for each parameter that was mapped, changed, emulated or ignored
    to standard error. Nothing is sent and no credential is read: what a model accepts comes from the built-in table.
    """
    from claude_proxy.dialects.chat.parameters import EXTENSIONS, PARAMETERS
    from claude_proxy.dialects.chat.request import to_messages_request
    from claude_proxy.dialects.explain import explained
    from claude_proxy.translate.models import SHIPPED, model_for, resolve
    from claude_proxy.wire.chat_request import read_chat_request
    from claude_proxy.wire.decoding import NULL, repaired

    body = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
    chat, unknown = read_chat_request(body)
    target = resolve(chat.model, config.aliases, SHIPPED, retired=config.retired_models)
    model = model_for(target.id, {}, instead_of=target.instead_of)
    translation = to_messages_request(chat, unknown, model=model, options=config)
    given = [
        key for key, value in msgspec.json.decode(repaired(body), type=dict[str, msgspec.Raw]).items() if value != NULL
    ]
    rows = explained(given, translation, (*PARAMETERS, *EXTENSIONS))
    # The request stays JSON text: Python's own decoder refuses integers of more than 4,300 digits.
    if as_json:
        reasons = [{"kind": kind, "param": param, "reason": reason} for kind, param, reason in rows]
        betas = ",".join(translation.betas) or None
        shown = {"request": msgspec.Raw(translation.body), "anthropic-beta": betas, "reasons": reasons}
        output.show(_indented(msgspec.json.encode(shown)))
        return
    output.show(_indented(translation.body))
    for kind, param, reason in rows:
        output.say(f"{click.style(kind.ljust(8), fg=_COLOURS[kind])}  {output.printable(f'{param}: {reason}')}")
    if translation.betas:
        output.say(f"{'header'.ljust(8)}  anthropic-beta: {','.join(translation.betas)}")


def _indented(document: bytes) -> str:
    return msgspec.json.format(document, indent=2).decode()
