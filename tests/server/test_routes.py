"""Generated requests to every route: each is answered, never by a 5xx, and errors have the shape of their dialect."""

import asyncio
import json
import re
from collections import Counter
from typing import Any, NamedTuple

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from claude_proxy.server.app import OWN_ROUTES, ROUTES
from tests.server.conftest import Serve
from tests.server.test_faults import WHOLE
from tests.server.test_malformed import GOOD, _changed, _paths
from tests.support.raw import LAST_CHUNK, SSE_HEAD, Connection, answer, chunk, told

MISSING = b'{"type":"error","error":{"type":"not_found_error","message":"no such model"},"request_id":"req_1"}'


class Asked(NamedTuple):
    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    def bytes(self) -> bytes:
        lines = [f"{self.method} {self.path} HTTP/1.1", *(f"{name}: {value}" for name, value in self.headers.items())]
        length = f"Content-Length: {len(self.body)}"
        return "\r\n".join([*lines, length, "Connection: close", "", ""]).encode("latin-1") + self.body


# ------------------------------------------------------------------------------------------- what is asked for

METHODS = st.sampled_from(["GET", "GET", "POST", "POST", "POST", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"])
IN_A_PATH = st.sampled_from(["claude-sonnet-5", "gpt-4o", "anthropic/x", "..", "%2e%2e%2f", "%00", "%ff", "%0d%0aX:y"])
SEGMENT = IN_A_PATH | st.text("az09-._~%/:@!$&'()*+,;=", min_size=1, max_size=12)
PATHS = {path: facts.refusing for route in ROUTES for path, facts in route.mounted()}
ENDLESS = "/page/events"  # whose answer ends with its viewer
ANSWERING = sorted(
    [path for path, refusing in PATHS.items() if not refusing]
    + [route.path for route in OWN_ROUTES if route.path != ENDLESS]
)
ROUTE = st.sampled_from(ANSWERING) | st.sampled_from(ANSWERING) | st.sampled_from(sorted(PATHS)) | st.just("/{any:.+}")
QUERY = st.sampled_from(["", "", "?", "?limit=2", "?beta=true&a=%zz", "?after_id=../..", "?a[]={}|`"])


def filled(route: str, segment: str) -> str:
    """A path of `route`, as it is written in the route table."""
    rest = "/" + segment.lstrip("/")
    return re.sub(r"\{rest:.*\}$", lambda _: rest, re.sub(r"\{(id|any):[^}]*\}", lambda _: segment, route))


VALUE = st.text(st.characters(min_codepoint=0x20, max_codepoint=0xFF, exclude_characters="\x7f"), max_size=20)
HEADERS = st.fixed_dictionaries(
    {
        "Host": st.sampled_from([*["localhost", "127.0.0.1:8000", "[::1]"] * 5, "evil.example", "0.0.0.0", "a@b"]),
        "Content-Type": st.sampled_from(["application/json", "application/json; charset=utf-8", "text/plain"]),
    },
    optional={
        "Accept": st.sampled_from(["*/*", "text/event-stream"]) | VALUE,
        "Accept-Encoding": st.just("gzip, br") | VALUE,
        "Access-Control-Request-Method": st.sampled_from(["POST", "x"]),
        "Anthropic-Beta": st.just("a-2026,b") | VALUE,
        "Anthropic-Version": st.sampled_from(["2023-06-01", ""]) | VALUE,
        "Authorization": st.sampled_from(["Bearer any", "Basic eA=="]) | VALUE,
        "Cookie": VALUE,
        "Expect": st.sampled_from(["100-continue", "nothing"]),
        "If-None-Match": VALUE,
        "Range": st.just("bytes=0-"),
        "User-Agent": st.just("OpenAI/Python 3.54.0") | VALUE,
        "X-Api-Key": st.just("any") | VALUE,
        "X-Stainless-Retry-Count": st.sampled_from(["0", "1", "999999999999"]) | VALUE,
    },
)
# Seldom, or nothing else would be seen of what comes with them.
SELDOM = st.sampled_from(
    [{}] * 8
    + [{"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}, {"Content-Encoding": "gzip"}]
    + [{"Transfer-Encoding": "chunked"}, {"Upgrade": "websocket"}]
)

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
PLACES = st.sampled_from(list(_paths(GOOD)))
MUTATED = st.builds(_changed, st.sampled_from([GOOD, {**GOOD, "stream": True}]), PLACES, JSON)
GROWN = st.builds(lambda more: {**GOOD, **more}, st.dictionaries(st.sampled_from([*GOOD, "n", "seed", "x"]), JSON))
BODY = st.one_of(st.just(GOOD), MUTATED, MUTATED, GROWN, JSON).map(
    lambda value: json.dumps(value).encode()
) | st.binary(max_size=40)


@st.composite
def requests(draw: st.DrawFn) -> Asked:
    path = filled(draw(ROUTE), draw(SEGMENT)) + draw(QUERY)
    return Asked(draw(METHODS), path, draw(HEADERS) | draw(SELDOM), draw(BODY))


# ------------------------------------------------------------------------------------------- what is answered


async def plausible(peer: Connection) -> None:
    """An upstream that answers every question, and has no model beside those of its list."""
    while True:
        whole = await peer.request()
        if whole.startswith(b"POST "):
            await peer.send(SSE_HEAD + chunk(WHOLE) + LAST_CHUNK)
            continue
        missing = answer(MISSING, "404 Not Found", b"content-type: application/json")
        await peer.send(missing.removesuffix(MISSING) if whole.startswith(b"HEAD ") else missing)


def status_of(asked: Asked, reply: bytes) -> int:
    """The status of a reply; fails unless it is one that this request may have."""
    heads, _, body = reply.partition(b"\r\n\r\n")
    if heads.startswith(b"HTTP/1.1 100 "):
        heads, _, body = body.partition(b"\r\n\r\n")
    found = re.match(rb"HTTP/1\.[01] ([2-4]\d\d) ", heads)
    assert found is not None, (asked, reply)
    status = int(found[1])
    if status >= 400 and asked.method != "HEAD":
        assert b"application/json" in heads.lower(), (asked, reply)
        check_error(asked, json.loads(body))
    return status


def check_error(asked: Asked, body: dict[str, Any]) -> None:
    error = body["error"]
    assert isinstance(error["message"], str), (asked, body)
    if body.keys() == {"error"}:
        assert error.keys() == {"message", "type", "param", "code"}, (asked, body)
    else:
        assert body.keys() == {"type", "error", "request_id"}, (asked, body)
        assert error.keys() == {"type", "message"}, (asked, body)
    if error.get("code") != "invalid_http":  # told before anybody looks at a path
        assert (body.keys() == {"error"}) is not is_anthropics(asked), (asked, body)


def is_anthropics(asked: Asked) -> bool:
    names = {name.lower() for name in asked.headers}
    by_client = "anthropic-version" in names or ("x-api-key" in names and "authorization" not in names)
    return asked.path.startswith("/v1/messages") or (asked.path.startswith("/v1/models") and by_client)


def test_whatever_is_asked_of_a_route_is_answered_in_its_dialect_and_never_with_a_5xx(serve: Serve) -> None:
    seen: Counter[int] = Counter()

    @settings(derandomize=True, max_examples=400, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(requests())
    def ask(asked: Asked) -> None:
        seen[status_of(asked, runner.run(told(url, asked.bytes())))] += 1

    with asyncio.Runner() as runner:
        opened = serve(plausible)
        served = runner.run(opened.__aenter__())
        url = served.url
        try:
            ask()
            assert b"200 OK" in runner.run(told(url, Asked("GET", "/health", {"Host": "localhost"}, b"").bytes()))
            assert not served.state.open
        finally:
            runner.run(opened.__aexit__(None, None, None))
    assert min(seen[status] for status in (200, 400, 403, 404, 405, 415)) > 2, seen
