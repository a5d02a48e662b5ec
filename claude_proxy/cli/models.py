"""`claude-proxy models`: the models that can be used, with limits and abilities."""

import asyncio
import json
import os
from typing import Any

import click

from claude_proxy.cli import output
from claude_proxy.cli.settings import settings
from claude_proxy.config import Config
from claude_proxy.errors import ProxyError
from claude_proxy.paths import paths
from claude_proxy.service import daemon, probe

_PATH = "/v1/models?limit=1000"
_NATIVE = {"anthropic-version": "2023-06-01"}
_TIMEOUT = 60.0
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
    found = list_models(config)
    if as_json:
        output.show(json.dumps(found, indent=2))
        return
    rows = [_row(model) for model in found]
    for line in output.columns([["MODEL", "NAME", "INPUT", "OUTPUT", "ABILITIES"], *rows]):
        output.show(line)


def list_models(config: Config) -> list[dict[str, Any]]:
    """The models as upstream lists them, without retired ones. Raises ProxyError when there is no list."""
    record = daemon.find(paths())
    if record and record.url:
        answer = probe.get_json(record, _PATH, _TIMEOUT, _NATIVE)
    else:
        answer = asyncio.run(_ask_upstream(config))
    match answer:
        case {"data": list(found)}:
            return [model for model in found if isinstance(model, dict) and model.get("lifecycle") != "retired"]
        case {"error": {"message": str(message)}}:
            raise ProxyError(message)
    raise ProxyError("the answer holds no list of models", hint="`claude-proxy doctor` may find the reason")


async def _ask_upstream(config: Config) -> Any:
    """The answer of upstream itself; None when it is no JSON."""
    import msgspec

    from claude_proxy.credentials.chain import credential_chain
    from claude_proxy.upstream.base import NativeRequest
    from claude_proxy.upstream.factory import make_backend

    if config.simulator:
        raise ProxyError(
            "the daemon with the simulator does not run", hint="`claude-proxy start --simulator` starts it"
        )
    backend = make_backend(config, credential_chain(config, os.environ), os.environ)
    try:
        with await backend.native(NativeRequest("GET", _PATH)) as reply:
            return msgspec.json.decode(await reply.read())
    except msgspec.MsgspecError:
        return None
    finally:
        await backend.close()


def _row(model: dict[str, Any]) -> list[str]:
    known = model.get("capabilities") or {}
    abilities = [word for name, word in ABILITIES.items() if (known.get(name) or {}).get("supported")]
    limits = [_thousands(model.get(name)) for name in ("max_input_tokens", "max_tokens")]
    return [str(model.get("id")), str(model.get("display_name", "")), *limits, ", ".join(abilities)]


def _thousands(tokens: object) -> str:
    return f"{tokens:,}" if isinstance(tokens, int) else "?"
