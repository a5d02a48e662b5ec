"""The routes, and the application that has them all behind the guard."""

import asyncio
import contextlib

from aiohttp import web

from claude_proxy.config import Config
from claude_proxy.credentials.chain import CredentialChain
from claude_proxy.dialects.api import MESSAGES, OPENAI
from claude_proxy.dialects.chat.dialect import CHAT
from claude_proxy.dialects.completions.dialect import COMPLETIONS
from claude_proxy.dialects.responses.dialect import RESPONSES
from claude_proxy.server import (
    conversations,
    messages,
    metrics,
    models,
    page,
    responses,
    responses_input,
    responses_socket,
    status,
    usage,
)
from claude_proxy.server.background import RUNS, BackgroundRuns
from claude_proxy.server.bodies import BUDGET, BodyBudget
from claude_proxy.server.catalog import Catalog
from claude_proxy.server.chat import chat_completions
from claude_proxy.server.completions import completions
from claude_proxy.server.concurrency import CONCURRENCY, ConcurrencyLimit, limit_concurrency
from claude_proxy.server.guard import expect, guard
from claude_proxy.server.headers import add_headers
from claude_proxy.server.key import read_key
from claude_proxy.server.last_warning import LastWarning
from claude_proxy.server.metrics import METRICS, Metrics
from claude_proxy.server.page import DOCTOR, Checks, Doctor
from claude_proxy.server.page_data import WARNINGS
from claude_proxy.server.policy import POLICY, Policy
from claude_proxy.server.replies import replies
from claude_proxy.server.response_store import RESPONSE_STORE, ResponseStore
from claude_proxy.server.routing import Route, add_routes, not_found
from claude_proxy.server.state import STATE, State
from claude_proxy.server.telemetry import CLOSE_TIMEOUT, telemetry
from claude_proxy.server.unsupported import UNSUPPORTED, unsupported
from claude_proxy.store.store import Store
from claude_proxy.transport.threads import run_in_thread
from claude_proxy.upstream.base import Backend

# Below the mounts of the dialect's API.
ROUTES: tuple[Route, ...] = (
    Route("POST", "/chat/completions", chat_completions, CHAT),
    Route("POST", "/completions", completions, COMPLETIONS),
    Route("POST", "/responses", responses.create, RESPONSES),
    Route("GET", "/responses", responses_socket.connect, RESPONSES),
    Route("POST", "/responses/input_tokens", responses_input.input_tokens, RESPONSES),
    Route("POST", "/responses/compact", responses_input.compact, RESPONSES),
    Route("GET", "/responses/{id}", responses.retrieve, RESPONSES),
    Route("DELETE", "/responses/{id}", responses.delete, RESPONSES),
    Route("POST", "/responses/{id}/cancel", responses.cancel, RESPONSES),
    Route("GET", "/responses/{id}/input_items", responses.input_items, RESPONSES),
    Route("POST", "/conversations", conversations.create, RESPONSES),
    Route("GET", "/conversations/{id}", conversations.retrieve, RESPONSES),
    Route("POST", "/conversations/{id}", conversations.update, RESPONSES),
    Route("DELETE", "/conversations/{id}", conversations.delete, RESPONSES),
    Route("POST", "/conversations/{id}/items", conversations.add_items, RESPONSES),
    Route("GET", "/conversations/{id}/items", conversations.list_items, RESPONSES),
    Route("GET", "/conversations/{id}/items/{item_id}", conversations.retrieve_item, RESPONSES),
    Route("DELETE", "/conversations/{id}/items/{item_id}", conversations.delete_item, RESPONSES),
    Route("GET", "/models", models.list_models, OPENAI, native=MESSAGES),
    Route("GET", "/models/{id:.+}", models.retrieve_model, OPENAI, native=MESSAGES),
    Route("POST", "/messages", messages.messages, MESSAGES),
    Route("POST", "/messages/count_tokens", messages.count_tokens, MESSAGES),
    Route("*", "/messages/{rest:[^/](?s:.*)}", not_found, MESSAGES),
    *(Route("*", f"/{name}{{rest:(/.*)?}}", unsupported(name), refusing=True) for name in UNSUPPORTED),
)

# At the root.
OWN_ROUTES: tuple[Route, ...] = (
    Route("GET", "/", page.index, quiet=True),
    Route("GET", "/health", status.health, quiet=True),
    Route("GET", "/status", status.status, quiet=True),
    Route("GET", "/usage", usage.usage, quiet=True),
    Route("GET", "/metrics", metrics.metrics, quiet=True),
    *(Route("GET", f"/page/{name}", page.asset(name), quiet=True) for name in page.ASSETS),
    Route("GET", "/page/data", page.data, quiet=True),
    Route("GET", "/page/events", page.events, quiet=True),
    Route("GET", "/page/figures", page.figures, quiet=True),
    Route("GET", "/page/doctor", page.doctor, quiet=True),
    Route("GET", "/page/session", page.session, quiet=True),
    Route("POST", "/page/code", page.code, quiet=True),
)


def proxy_app(
    config: Config,
    backend: Backend,
    chain: CredentialChain,
    *,
    nonce: str | None = None,
    store: Store | None = None,
    checks: Checks | None = None,
) -> web.Application:
    """The whole HTTP surface. The caller closes `backend` and `store`; without a store nothing is kept.

    `checks` are doctor's, for the page; they may block."""
    app = web.Application(middlewares=[replies, guard, limit_concurrency])
    app[POLICY] = Policy.of(config, read_key(config.api_key_file))
    app[BUDGET] = BodyBudget(config.max_body_total)
    app[CONCURRENCY] = ConcurrencyLimit(config.max_concurrency)
    app[STATE] = State(config, backend, chain, Catalog(backend, config.models_ttl), nonce)
    app[RESPONSE_STORE] = ResponseStore(store if config.store else None)
    app[RUNS] = BackgroundRuns(app[STATE], app[RESPONSE_STORE])
    meter = app[STATE].meter
    meter.identify = backend.identity
    app[METRICS] = Metrics()
    meter.consumers.append(app[METRICS].consume)
    if store is not None and config.usage:
        meter.ledger = store.usage
    if config.otel:
        _export(app)
    app[DOCTOR] = Doctor(checks)
    app[WARNINGS] = LastWarning()
    app.on_response_prepare.append(add_headers)
    app.on_startup.append(_start)
    app.on_cleanup.append(_close)
    add_routes(app, ROUTES, OWN_ROUTES, expect)
    return app


def _export(app: web.Application) -> None:
    """Send what is metered by OpenTelemetry."""
    exported = telemetry()
    app[STATE].meter.consumers.append(exported.consume)

    async def close(_: web.Application) -> None:
        app[STATE].meter.flush()
        with contextlib.suppress(TimeoutError):  # a collector that does not answer must not delay the end
            await asyncio.wait_for(run_in_thread(exported.close, "otel-close"), CLOSE_TIMEOUT)

    app.on_cleanup.append(close)


async def _start(app: web.Application) -> None:
    app[WARNINGS].attach()
    app[STATE].catalog.snapshot()
    await app[RESPONSE_STORE].open()
    await app[STATE].spending.load()


async def _close(app: web.Application) -> None:
    await app[RUNS].close()
    await app[RESPONSE_STORE].close()
    await app[STATE].meter.close()
    await app[STATE].catalog.close()
    app[WARNINGS].detach()
