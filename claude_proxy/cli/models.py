"""`claude-proxy models`: the models that can be used, with limits and abilities."""

import json
import os
from typing import Any

import click

from claude_proxy.cli import output
from claude_proxy.cli.settings import settings
from claude_proxy.config import Config
from claude_proxy.diagnosis.model_list import list_models
from claude_proxy.paths import paths

# Abilities that are shown, by their names upstream.
ABILITIES = {
    "thinking": "thinking",
    "effort": "effort",
    "image_input": "images",
    "pdf_input": "PDFs",
    "structured_outputs": "schemas",
}


@click.command(short_help="List the models that can be used.")
@click.option("--json", "as_json", is_flag=True, help="print upstream's own list")
@settings
def models(config: Config, *, as_json: bool) -> None:
    """List the models that can be used, with limits and abilities, as upstream reports them.

    The list comes from the daemon if it runs, else from upstream with the same credential. It costs nothing.
    """
    found = list_models(config, os.environ, paths())
    if as_json:
        output.show(json.dumps(found, indent=2))
        return
    rows = [_row(model) for model in found]
    output.table(["MODEL", "NAME", "INPUT", "OUTPUT", "ABILITIES"], rows)


def _row(model: dict[str, Any]) -> list[str]:
    known = model.get("capabilities") or {}
    abilities = [word for name, word in ABILITIES.items() if (known.get(name) or {}).get("supported")]
    limits = [_thousands(model.get(name)) for name in ("max_input_tokens", "max_tokens")]
    return [str(model.get("id")), str(model.get("display_name", "")), *limits, ", ".join(abilities)]


def _thousands(tokens: object) -> str:
    return f"{tokens:,}" if isinstance(tokens, int) else "?"
