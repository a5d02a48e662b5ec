"""GET /health and /status: whether the server can serve, and what `claude-proxy status` prints."""

import os
import time
from collections.abc import Mapping

import msgspec
from aiohttp import web

from claude_proxy import __version__
from claude_proxy.errors import CredentialError
from claude_proxy.log import redacted
from claude_proxy.server.state import STATE, State


async def root(_: web.Request) -> web.Response:
    """The name and version. The Claude CLI sends HEAD here first, to see whether the server answers."""
    return _json({"name": "claude-proxy", "version": __version__})


async def health(request: web.Request) -> web.Response:
    """200 while it can serve, 503 once it is stopping. `instance` identifies the process that answers."""
    state = request.app[STATE]
    body = {"status": "stopping" if state.stopping else "ok", "version": __version__, "instance": state.nonce}
    return _json(body, status=503 if state.stopping else 200)


async def status(request: web.Request) -> web.Response:
    return _json(facts(request.app[STATE]))


def facts(state: State) -> dict[str, object]:
    """What `status` and the page show of this server."""
    config = state.config
    return {
        "version": __version__,
        "pid": os.getpid(),
        "instance": state.nonce,
        "status": "stopping" if state.stopping else "ok",
        "started_at": state.started,
        "uptime": round(time.time() - state.started, 3),
        "address": state.address,
        "base_url": f"{state.address}/openai/v1",
        "upstream": {
            "base_url": config.base_url,
            "is_anthropic": config.upstream_is_anthropic,
            "simulator": config.simulator,
        },
        "backend": _backend(state),
        "credential": _credential(state),
        "requests": state.counters.served,
        "open_requests": state.open_requests(),
        "clients": dict(state.counters.clients.most_common()),
        "usage": {
            "recorded": state.meter.ledger is not None,
            "problem": state.meter.problem,
            "lost": state.meter.lost,
            "budgets": [budget._asdict() for budget in state.spending.budgets()],
            "extra_usage_until": state.spending.limits.extra_usage_until,
        },
        "rate_limits": state.spending.limits.report(),
        "last_error": None
        if state.counters.last_error is None
        else {"message": redacted(state.counters.last_error), "at": state.counters.last_error_at},
    }


def _backend(state: State) -> dict[str, object]:
    """Which backend answers, and why."""
    answering = state.backend.status()
    return {
        "setting": state.config.backend,
        "answers": answering.name,
        "reason": answering.reason,
        "program": answering.program,
        "version": answering.version,
    }


def _credential(state: State) -> dict[str, object]:
    """What is known about the credential in force, without waiting: where it comes from, and at most its tail."""
    try:
        credential = state.chain.known()
    except CredentialError as exc:
        return {"found": False, "message": exc.message, "hint": exc.hint}
    if credential is None:
        return {"found": None, "message": "the search for one has not ended yet", "hint": "ask again in a moment"}
    return {
        "found": True,
        "source": credential.source,
        "kind": credential.kind,
        "expires_at": credential.expires_at,
        "subscription": credential.subscription,
        "tail": credential.secret.tail,
    }


def _json(data: Mapping[str, object], *, status: int = 200) -> web.Response:
    return web.Response(
        status=status,
        body=msgspec.json.encode(data),
        content_type="application/json",
        headers={"Cache-Control": "no-store"},
    )
