"""GET / for a browser, and below /page/ its files, its data, its feed of requests and doctor's checks.

The files hold nothing of the user's. The data are same-origin only, as the guard has it, and where a key is required
they need the key or a session (`page_access`).
"""

import asyncio
import contextlib
import time
from collections.abc import Callable, Mapping, Sequence
from importlib.resources import files

import msgspec
from aiohttp import web

from claude_proxy.diagnosis.check import Check
from claude_proxy.errors import NotFound, Unauthorized, UpstreamTimeout
from claude_proxy.server import page_data
from claude_proxy.server.guard import bearer_token, wants_html
from claude_proxy.server.last_warning import LastWarning
from claude_proxy.server.live import LiveFeed, open_rows
from claude_proxy.server.page_data import WARNINGS, page_state, setup_snippets
from claude_proxy.server.policy import POLICY
from claude_proxy.server.routing import Endpoint
from claude_proxy.server.state import STATE, State
from claude_proxy.server.status import root
from claude_proxy.transport.threads import run_in_thread

TICK = 0.5  # seconds between two looks at the open requests
STATE_INTERVAL = 5.0
WRITE_TIMEOUT = 5.0  # a viewer that does not read for so long is given up
DOCTOR_TIMEOUT = 60.0

Checks = Callable[[], Sequence[Check]]


class Doctor:
    """Runs doctor's checks, which block, in a thread; who asks meanwhile gets the results of the same run."""

    def __init__(self, checks: Checks | None = None) -> None:
        self.checks = checks
        self._running: asyncio.Future[Sequence[Check]] | None = None

    async def run(self) -> Sequence[Check]:
        """Raises NotFound where there are no checks, and UpstreamTimeout when they take too long."""
        if self.checks is None:
            raise NotFound("this server was started without doctor's checks", hint="run `claude-proxy doctor`")
        if self._running is None or self._running.done():
            self._running = run_in_thread(self.checks, "doctor")
        try:
            return await asyncio.wait_for(asyncio.shield(self._running), DOCTOR_TIMEOUT)
        except TimeoutError:
            raise UpstreamTimeout("the checks have not ended yet", hint="run `claude-proxy doctor`") from None


DOCTOR = web.AppKey("doctor", Doctor)

ASSETS: Mapping[str, str] = {
    "page.js": "text/javascript",
    "plots.js": "text/javascript",
    "page.css": "text/css",
    "icon.svg": "image/svg+xml",
}
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'"
)
_HEADERS = {
    "Content-Security-Policy": _POLICY,
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


async def index(request: web.Request) -> web.Response:
    """The page for a browser; the name and version for a program."""
    if not wants_html(request.headers):
        reply = await root(request)
        reply.headers["Vary"] = "Accept"
        return reply
    return _file("index.html", "text/html", {**_HEADERS, "Vary": "Accept"})


def asset(name: str) -> Endpoint:
    """The endpoint of one file of the page."""

    async def send(_: web.Request) -> web.Response:
        return _file(name, ASSETS[name], _HEADERS)

    return send


def _file(name: str, kind: str, headers: Mapping[str, str]) -> web.Response:
    text = (files("claude_proxy.server") / "assets" / name).read_text("utf-8")
    return web.Response(text=text, content_type=kind, charset="utf-8", headers=headers)


async def data(request: web.Request) -> web.Response:
    """The state of the server and the set-up snippets."""
    state, policy = request.app[STATE], request.app[POLICY]
    return _json({"state": page_state(state, request.app[WARNINGS]), "setup": setup_snippets(state, policy)})


async def figures(request: web.Request) -> web.Response:
    """The ledger's figures of `range`: hour, day or month."""
    return _json(await page_data.figures(request.app[STATE], request.query.get("range", "hour")))


async def doctor(request: web.Request) -> web.Response:
    """The results of doctor's checks."""
    return _json(await request.app[DOCTOR].run())


async def code(request: web.Request) -> web.Response:
    """A code that opens the page once; null where no key is required. The guard demands the key itself."""
    policy = request.app[POLICY]
    return _json({"code": None if policy.key is None else policy.page.new_code()})


async def session(request: web.Request) -> web.Response:
    """A session token for the code in `Authorization`."""
    policy = request.app[POLICY]
    token = "" if policy.key is None else policy.page.open_session(bearer_token(request.headers))
    if token is None:
        raise Unauthorized("this code is not valid", hint="`claude-proxy open` prints a new one")
    return _json({"token": token})


async def events(request: web.Request) -> web.StreamResponse:
    """Server-sent events: `state` now and then, `open` when the open requests have changed, `done` for each row."""
    state = request.app[STATE]
    with state.live.viewer() as wake:
        stream = web.StreamResponse(headers={**_HEADERS, "X-Accel-Buffering": "no"})
        stream.content_type = "text/event-stream"
        await stream.prepare(request)
        if request.method == "HEAD":
            return stream
        changes = Changes(state, request.app[WARNINGS])
        while not state.stopping:
            wake.clear()
            if frames := changes.frames():
                await _write(request, stream, frames)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(wake.wait(), TICK)
    return stream


async def _write(request: web.Request, stream: web.StreamResponse, frames: bytes) -> None:
    """Write `frames`. Ends the connection of a viewer that does not read, and raises ConnectionResetError."""
    try:
        async with asyncio.timeout(WRITE_TIMEOUT):
            await stream.write(frames)
    except TimeoutError:
        if request.transport is not None:
            request.transport.abort()
        raise ConnectionResetError("the viewer does not read") from None


class Changes:
    """What one viewer has not seen yet. It holds a number and one encoded list, however slow the viewer is."""

    def __init__(self, state: State, warnings: LastWarning) -> None:
        self._state = state
        self._live: LiveFeed = state.live
        self._warnings = warnings
        self._seen = 0
        self._open = b"[]"
        self._state_due = 0.0

    def frames(self) -> bytes:
        parts = []
        if time.monotonic() >= self._state_due:
            self._state_due = time.monotonic() + STATE_INTERVAL
            parts.append(_frame("state", msgspec.json.encode(page_state(self._state, self._warnings))))
        for row in self._live.since(self._seen):
            self._seen = row.number
            parts.append(_frame("done", msgspec.json.encode(row)))
        running = msgspec.json.encode(open_rows(self._state.open))
        if running != self._open:
            self._open = running
            parts.append(_frame("open", running))
        return b"".join(parts)


def _frame(event: str, data: bytes) -> bytes:
    return b"event: %s\ndata: %s\n\n" % (event.encode(), data)


def _json(data: object) -> web.Response:
    return web.Response(body=msgspec.json.encode(data), content_type="application/json", headers=_HEADERS)
