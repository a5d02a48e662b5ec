"""The routes, and the application that has them all behind the guard."""

from collections.abc import Awaitable, Callable
from typing import NamedTuple

from aiohttp import web

from claude_proxy.config import Config
from claude_proxy.credentials.chain import CredentialChain
from claude_proxy.errors import MethodNotAllowed, NotFound
from claude_proxy.server import messages, models, status
from claude_proxy.server.catalog import Catalog
from claude_proxy.server.chat import chat_completions
from claude_proxy.server.exchange import STATE, Dialect, State
from claude_proxy.server.guard import POLICY, REFUSING, Policy, expect, guard
from claude_proxy.server.key import read_key
from claude_proxy.server.replies import add_headers, replies
from claude_proxy.server.turns import TURNS, Turns, in_turn
from claude_proxy.server.unsupported import UNSUPPORTED, unsupported
from claude_proxy.upstream.base import Backend

Endpoint = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Route(NamedTuple):
    """OpenAI's paths stand below both mounts, Anthropic's below its own."""

    method: str
    path: str
    handler: Endpoint
    dialect: Dialect = "openai"


MOUNTS: dict[Dialect, tuple[str, ...]] = {"openai": ("/openai/v1", "/v1"), "anthropic": ("/v1",)}

ROUTES: tuple[Route, ...] = (
    Route("POST", "/chat/completions", chat_completions),
    Route("GET", "/models", models.list_models),
    Route("GET", "/models/{id:.+}", models.retrieve_model),
    Route("POST", "/messages", messages.messages, "anthropic"),
    Route("POST", "/messages/count_tokens", messages.count_tokens, "anthropic"),
    *(Route("*", f"/{name}{{rest:(/.*)?}}", unsupported(name)) for name in UNSUPPORTED),
)

# Ours, at the root. HEAD comes with GET.
OWN_ROUTES: tuple[Route, ...] = (
    Route("GET", "/", status.root),
    Route("GET", "/health", status.health),
    Route("GET", "/status", status.status),
)


def proxy_app(config: Config, backend: Backend, chain: CredentialChain, *, nonce: str | None = None) -> web.Application:
    """The whole HTTP surface. Closing `backend` is up to whoever made it."""
    app = web.Application(middlewares=[replies, guard, in_turn])
    app[POLICY] = Policy.of(config, read_key(config.api_key_file))
    app[REFUSING] = frozenset(route.handler for route in ROUTES if route.method == "*")
    app[TURNS] = Turns(config.max_concurrency)
    app[STATE] = State(config, backend, chain, Catalog(backend, config.models_ttl), nonce)
    app.on_response_prepare.append(add_headers)
    app.on_startup.append(_ask_for_models)
    app.on_cleanup.append(_close)
    for path, endpoints in _endpoints().items():
        for method, handler in endpoints.items():
            app.router.add_route(method, path, handler, expect_handler=expect)
        if "*" not in endpoints:
            app.router.add_route("*", path, _not_allowed(", ".join(endpoints)), expect_handler=expect)
    app.router.add_route("*", "/{path:(?s:.*)}", _not_found, expect_handler=expect)
    return app


def _endpoints() -> dict[str, dict[str, Endpoint]]:
    """Handlers by full path and method. A trailing slash is another path to aiohttp, and none to clients."""
    paths: dict[str, dict[str, Endpoint]] = {}
    full = [(route, mount + route.path) for route in ROUTES for mount in MOUNTS[route.dialect]]
    full += [(route, route.path) for route in OWN_ROUTES]
    for route, path in full:
        for spelling in {path, path if path.endswith(("/", "}")) else path + "/"}:
            paths.setdefault(spelling, {})[route.method] = route.handler
            if route.method == "GET":
                paths[spelling]["HEAD"] = route.handler
    return paths


def _not_allowed(methods: str) -> Endpoint:
    async def refuse(request: web.Request) -> web.StreamResponse:
        message = f"Not allowed to {request.method[:20]} on {request.path[:200]}"
        raise MethodNotAllowed(message, hint=f"allowed: {methods}", headers={"Allow": methods})

    return refuse


async def _not_found(request: web.Request) -> web.StreamResponse:
    raise NotFound(f"Invalid URL ({request.method[:20]} {request.path[:200]})")


async def _ask_for_models(app: web.Application) -> None:
    app[STATE].catalog.snapshot()


async def _close(app: web.Application) -> None:
    await app[STATE].catalog.close()
