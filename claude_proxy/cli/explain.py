"""`claude-proxy explain`: an OpenAI request in, the Anthropic request out, and why; nothing is sent."""

import json
import sys
from pathlib import Path

import click

from claude_proxy.cli import output
from claude_proxy.cli.settings import settings
from claude_proxy.config import Config
from claude_proxy.errors import InvalidRequest

_COLOURS = {"warning": "yellow", "changed": "cyan", "emulated": "cyan", "ignored": "yellow", "mapped": "green"}


@click.command(short_help="Show what a request becomes, and why; nothing is sent.")
@click.argument("file", default="-", type=click.Path(allow_dash=True, dir_okay=False, path_type=str))
@click.option("--json", "as_json", is_flag=True, help="print one JSON object with the request and the reasons")
@settings
def explain(*, config: Config, file: str, as_json: bool) -> None:
    """Show the Anthropic request that the OpenAI request in FILE (or standard input) becomes.

    The request goes to standard output, and a line for each thing that was mapped, changed, emulated or ignored
    to standard error. Nothing is sent, and no credential is looked at: what models accept is taken from the
    shipped table.
    """
    from claude_proxy.dialects.chat.parameters import EXTENSIONS, PARAMETERS
    from claude_proxy.dialects.chat.request import to_messages_request
    from claude_proxy.dialects.explain import explained
    from claude_proxy.translate.models import SHIPPED, model_for, resolve
    from claude_proxy.wire.chat_request import read_chat_request

    body = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
    chat, unknown = read_chat_request(body)
    target = resolve(chat.model, config.aliases, SHIPPED, retired=config.retired_models)
    model = model_for(target.id, {}, instead_of=target.instead_of)
    translation = to_messages_request(chat, unknown, model=model, options=config)
    given = [key for key, value in _object(body).items() if value is not None]
    rows = explained(given, translation, (*PARAMETERS, *EXTENSIONS))
    request = json.loads(translation.body)
    if as_json:
        reasons = [{"kind": kind, "param": param, "reason": reason} for kind, param, reason in rows]
        betas = ",".join(translation.betas) or None
        output.show(json.dumps({"request": request, "anthropic-beta": betas, "reasons": reasons}, indent=2))
        return
    output.show(json.dumps(request, indent=2, ensure_ascii=False))
    for kind, param, reason in rows:
        output.say(f"{click.style(kind.ljust(8), fg=_COLOURS[kind])}  {param}: {reason}")
    if translation.betas:
        output.say(f"{'header'.ljust(8)}  anthropic-beta: {','.join(translation.betas)}")


def _object(body: bytes) -> dict[str, object]:
    value = json.loads(body)
    if not isinstance(value, dict):
        raise InvalidRequest("the request is not a JSON object")
    return value
