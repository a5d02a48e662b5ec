"""GET models and models/{id}: upstream's list in OpenAI's shape, with the user's aliases beside it."""

import re
import time
from collections.abc import Iterable
from urllib.parse import quote

import msgspec
from aiohttp import web

from claude_proxy.config import Config
from claude_proxy.errors import NotFound, UpstreamDisconnected
from claude_proxy.server.exchange import EXCHANGE
from claude_proxy.server.headers import header_safe
from claude_proxy.server.messages import forward
from claude_proxy.server.state import STATE
from claude_proxy.translate.failure import openai_headers, upstream_failure
from claude_proxy.translate.models import resolve, to_openai_model
from claude_proxy.upstream.base import NativeRequest
from claude_proxy.wire.anthropic import ModelInfo
from claude_proxy.wire.chat_reply import Model, ModelList

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:@-]{0,199}")


async def list_models(request: web.Request) -> web.StreamResponse:
    """Every model that is not retired, then the aliases that lead to one of them."""
    if request[EXCHANGE].dialect.api == "anthropic":
        return await forward(request, "/v1/models")
    state = request.app[STATE]
    live = [info for info in await state.catalog.models() if info.lifecycle != "retired"]
    by_id = {info.id: info for info in live}
    rows = [to_openai_model(info) for info in live]
    for alias in state.config.aliases:
        target = by_id.get(_alias_target(alias, state.config, live) or "")
        if target is not None and alias not in by_id:
            rows.append(_named(alias, target))
    # Codex names its version and reads a list of its own; for a model that is not in it, it has defaults.
    listed = ModelList("list", rows)
    if "client_version" in request.query:
        listed.models = []
    return _json(listed)


async def retrieve_model(request: web.Request) -> web.StreamResponse:
    """One model by its id, an alias, or a name with a prefix. For a model that the list lacks, upstream is asked."""
    name = request.match_info["id"].rstrip("/")
    if request[EXCHANGE].dialect.api == "anthropic":
        return await forward(request, _path(name))
    state = request.app[STATE]
    models = await state.catalog.models()
    target = resolve(name, state.config.aliases, models, retired=state.config.retired_models)
    request[EXCHANGE].model, request[EXCHANGE].upstream_model = name, target.id
    if target.instead_of is not None:
        name, request[EXCHANGE].warnings = target.id, ("model",)
    for info in models:
        if info.id == target.id:
            return _json(_named(name, info))
    return await _from_upstream(request, name, target.id)


def _alias_target(alias: str, config: Config, models: Iterable[ModelInfo]) -> str | None:
    try:
        return resolve(alias, config.aliases, models).id
    except NotFound:  # the alias of a retired model
        return None


async def _from_upstream(request: web.Request, name: str, wanted: str) -> web.Response:
    with await request.app[STATE].backend.native(NativeRequest("GET", _path(wanted))) as upstream:
        body = await upstream.read()
        if upstream.status != 200:
            raise upstream_failure(upstream.status, upstream.headers, body, now=time.time())
        headers = openai_headers(upstream.headers, now=time.time())
    try:
        info = msgspec.json.decode(body, type=ModelInfo)
    except (msgspec.MsgspecError, UnicodeDecodeError) as exc:
        raise UpstreamDisconnected("upstream's reply about this model cannot be decoded") from exc
    return _json(_named(name, info), headers)


def _path(id_: str) -> str:
    """Upstream's path of a model. Raises NotFound for what cannot be a model's id: it might be another path."""
    if not _ID.fullmatch(id_):
        raise NotFound("The model does not exist", param="model", code="model_not_found")
    return f"/v1/models/{quote(id_)}"


def _named(name: str, info: ModelInfo) -> Model:
    return msgspec.structs.replace(to_openai_model(info), id=name)


def _json(data: Model | ModelList, headers: dict[str, str] | None = None) -> web.Response:
    return web.Response(
        body=msgspec.json.encode(data), content_type="application/json", headers=header_safe(headers or {})
    )
