"""From the table of routes to aiohttp's router: mounts, spellings of a path, and the facts of a route."""

import re
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import NamedTuple

from aiohttp import web

from claude_proxy.dialects.api import OPENAI
from claude_proxy.dialects.base import API, Dialect
from claude_proxy.errors import MethodNotAllowed, NotFound

Endpoint = Callable[[web.Request], Awaitable[web.StreamResponse]]
Expect = Callable[[web.Request], Awaitable[None]]

MOUNTS: Mapping[API, tuple[str, ...]] = {"openai": ("/openai/v1", "/v1", "/openai"), "anthropic": ("/v1",)}


class Facts(NamedTuple):
    """What everything around an endpoint needs to know about its route."""

    dialect: Dialect = OPENAI
    native: Dialect | None = None  # the dialect for an Anthropic client, on a path that both APIs have
    quiet: bool = False  # a probe: no line in the log, not counted
    refusing: bool = False  # only says why it does not exist; the request's body is not read


class Route(NamedTuple):
    """A path below the mounts of its dialect's API. GET answers HEAD as well."""

    method: str
    path: str
    handler: Endpoint
    dialect: Dialect = OPENAI
    native: Dialect | None = None
    quiet: bool = False
    refusing: bool = False

    def mounted(self) -> Iterable[tuple[str, Facts]]:
        """The full paths, with the facts of each. Only `/v1` is a mount of both APIs."""
        for mount in MOUNTS[self.dialect.api]:
            native = self.native if mount in MOUNTS["anthropic"] else None
            yield mount + self.path, Facts(self.dialect, native, self.quiet, self.refusing)


FACTS = web.AppKey("facts", dict[web.AbstractRoute, Facts])
_NO_FACTS = Facts()


def route_of(request: web.Request) -> Facts:
    """The facts of the route that a request was led to."""
    return request.app[FACTS].get(request.match_info.route, _NO_FACTS)


def add_routes(app: web.Application, mounted: Iterable[Route], own: Iterable[Route], expect: Expect) -> None:
    """Put the routes into `app`, and a refusal for every other path and method. `own` stand at the root."""
    facts = app[FACTS] = {}
    for path, (methods, about) in _by_path(mounted, own).items():
        for spelling in spellings(path):
            for method, handler in methods.items():
                facts[app.router.add_route(method, spelling, handler, expect_handler=expect)] = about
            if "*" not in methods:
                refuse = not_allowed(", ".join(methods))
                facts[app.router.add_route("*", spelling, refuse, expect_handler=expect)] = about
    app.router.add_route("*", "/{path:(?s:.*)}", not_found, expect_handler=expect)


def _by_path(mounted: Iterable[Route], own: Iterable[Route]) -> dict[str, tuple[dict[str, Endpoint], Facts]]:
    full = [(path, facts, route) for route in mounted for path, facts in route.mounted()]
    full += [(route.path, Facts(route.dialect, None, route.quiet), route) for route in own]
    paths: dict[str, tuple[dict[str, Endpoint], Facts]] = {}
    for path, facts, route in full:
        methods, _ = paths.setdefault(path, ({}, facts))
        methods[route.method] = route.handler
        if route.method == "GET":
            methods["HEAD"] = route.handler
    return paths


def spellings(path: str) -> list[str]:
    """`path`, with a trailing slash, and a pattern for doubled slashes, which clients make when they join URLs.

    aiohttp finds a plain path in a dictionary before it tries any pattern.
    """
    if path == "/":
        return [path]
    fixed, brace, variable = path.partition("{")
    if ":" in variable:  # a variable with a pattern of its own may hold slashes
        pattern = _with_slashes(fixed) + ("/+" if fixed.endswith("/") else "")
        return [path, f"/{{slashes:{pattern}}}{brace}{variable}"]
    if not brace:
        return [path, path + "/", f"/{{slashes:{_with_slashes(path)}/*}}"]
    parts = re.split(r"(\{\w+\})", path)
    for index in range(0, len(parts), 2):
        end = "/*" if index == len(parts) - 1 else "/+"
        between = "/+" + "/+".join(parts[index].strip("/").split("/")) if parts[index].strip("/") else ""
        parts[index] = f"{{slashes{index}:{between}{end}}}"
    parts[0] = f"/{{slashes:{_with_slashes(fixed)}/+}}"
    return [path, "".join(parts)]


def _with_slashes(path: str) -> str:
    """A pattern for `path` after its first slash, with any number of slashes between its parts."""
    return "/*" + "/+".join(path.strip("/").split("/"))


def not_allowed(methods: str) -> Endpoint:
    """The endpoint for the other methods of a path."""

    async def refuse(request: web.Request) -> web.StreamResponse:
        message = f"Not allowed to {request.method[:20]} on {request.path[:200]}"
        raise MethodNotAllowed(message, hint=f"allowed: {methods}", headers={"Allow": methods})

    return refuse


async def not_found(request: web.Request) -> web.StreamResponse:
    raise NotFound(f"Invalid URL ({request.method[:20]} {request.path[:200]})")
