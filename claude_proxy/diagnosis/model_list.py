"""The models that can be used: from the daemon if it runs, else from upstream itself."""

import asyncio
from collections.abc import Mapping
from typing import Any

import msgspec

from claude_proxy.config import Config
from claude_proxy.credentials.chain import credential_chain
from claude_proxy.errors import ProxyError
from claude_proxy.paths import Paths
from claude_proxy.service import daemon, probe
from claude_proxy.upstream.base import NativeRequest
from claude_proxy.upstream.factory import make_backend

_PATH = "/v1/models?limit=1000"
_NATIVE = {"anthropic-version": "2023-06-01"}
_TIMEOUT = 60.0


def list_models(config: Config, environ: Mapping[str, str], places: Paths) -> list[dict[str, Any]]:
    """The models as upstream lists them, without retired ones. Raises ProxyError when there is no list."""
    record = daemon.find(places)
    if record and record.url:
        answer = probe.get_json(record, _PATH, _TIMEOUT, _NATIVE)
    else:
        answer = asyncio.run(_ask_upstream(config, environ))
    match answer:
        case {"data": list(found)}:
            return [model for model in found if isinstance(model, dict) and model.get("lifecycle") != "retired"]
        case {"error": {"message": str(message)}}:
            raise ProxyError(message)
    raise ProxyError("the answer holds no list of models", hint="`claude-proxy doctor` may find the reason")


async def _ask_upstream(config: Config, environ: Mapping[str, str]) -> Any:
    """The answer of upstream itself; None when it is not JSON."""
    if config.simulator:
        raise ProxyError(
            "the daemon with the simulator does not run", hint="`claude-proxy start --simulator` starts it"
        )
    backend = make_backend(config, credential_chain(config, environ), environ)
    try:
        with await backend.native(NativeRequest("GET", _PATH)) as reply:
            return msgspec.json.decode(await reply.read())
    except msgspec.MsgspecError:
        return None
    finally:
        await backend.close()
