from pathlib import Path

import pytest
from multidict import CIMultiDict

from claude_proxy.config import Config
from claude_proxy.errors import Forbidden, InvalidRequest, PayloadTooLarge, Unauthorized, UnsupportedMediaType
from claude_proxy.server.guard import refusal
from claude_proxy.server.policy import Policy
from tests.server.conftest import Serve
from tests.support.raw import told

POLICY = Policy.of(Config(max_body=100))
OPEN = Policy.of(
    Config(
        allowed_hosts=("Box.lan", "proxy:8443"),
        allowed_origins=("https://good.example", "app://obsidian.md", "http://localhost:3000", "null", "nonsense"),
    )
)
JSON = ("Content-Type", "application/json")


def asked(
    *headers: tuple[str, str],
    method: str = "POST",
    target: str = "/x",
    policy: Policy = POLICY,
    host: str = "localhost",
):
    return refusal(method, target, CIMultiDict([("Host", host), *headers]), policy)


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:8000", "127.0.0.1", "127.0.0.1:1", "[::1]", "[::1]:65535"])
def test_this_machines_names_come_in(host: str) -> None:
    assert asked(JSON, host=host) is None


@pytest.mark.parametrize(
    "host",
    [
        "", "evil.com", "evil.com:8000", "localhost.evil.com", "evil-localhost", "localhost.", "127.0.0.1.evil.com",
        "0.0.0.0", "[::]", "0", "127.1", "2130706433", "127.0.0.2", "192.168.1.2", "10.0.0.1", "[::ffff:127.0.0.1]",
        "user@localhost", "localhost@evil.com", "localhost:8@evil.com", "localhost:", "localhost:x", "localhost:999999",
        "localhost/", "localhost evil.com", "localhost,evil.com", " localhost", "loc\u0430lhost", "::1", "box.lan",
    ],
)  # fmt: skip
def test_any_other_host_is_refused(host: str) -> None:
    assert isinstance(asked(JSON, host=host), Forbidden)


def test_a_configured_host_comes_in() -> None:
    assert asked(JSON, host="box.lan:1234", policy=OPEN) is None
    assert asked(JSON, host="proxy:8443", policy=OPEN) is None
    assert isinstance(asked(JSON, host="proxy:8444", policy=OPEN), Forbidden)


def test_there_is_exactly_one_host() -> None:
    assert refusal("GET", "/", CIMultiDict(), POLICY) is not None
    assert asked(("Host", "localhost"), method="GET") is not None


@pytest.mark.parametrize("target", ["http://localhost/x", "localhost:80", "*", ""])
def test_only_paths_are_targets(target: str) -> None:
    assert isinstance(asked(JSON, target=target), InvalidRequest)


@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS", "HEAD", "DELETE"])
@pytest.mark.parametrize("origin", ["https://evil.com", "http://localhost:8000", "null", "", "https://good.example"])
def test_every_origin_is_foreign_by_default(method: str, origin: str) -> None:
    assert isinstance(asked(JSON, ("Origin", origin), method=method), Forbidden)


@pytest.mark.parametrize(
    "origin",
    [
        "https://good.example",
        "https://good.example:443",
        "HTTPS://GOOD.example",
        "app://obsidian.md",
        "http://localhost:3000",
    ],
)
def test_a_configured_origin_comes_in(origin: str) -> None:
    assert asked(JSON, ("Origin", origin), ("Sec-Fetch-Site", "cross-site"), policy=OPEN) is None


@pytest.mark.parametrize(
    "origin",
    [
        "https://good.example.evil.com", "https://evil-good.example", "https://good.example@evil.com", "http://good.example",
        "https://good.example:8443", "https://good.example/", "https://sub.good.example", "https://good.exampl\u0435",
        "https://good.example https://evil.com", "https://good.example:x", "null", "nonsense", "https://user@good.example",
        "http://localhost", "http://localhost:3001", "https://[good.example", "https://good.example#", "app://obsidian",
    ],
)  # fmt: skip
def test_an_origin_is_compared_whole(origin: str) -> None:
    assert isinstance(asked(JSON, ("Origin", origin), policy=OPEN), Forbidden)


def test_two_origins_are_refused() -> None:
    pair = ("Origin", "https://good.example")
    assert isinstance(asked(JSON, pair, pair, policy=OPEN), Forbidden)


@pytest.mark.parametrize("site", ["cross-site", "same-site", "Cross-Site", "anything"])
def test_a_request_that_a_page_caused_is_refused(site: str) -> None:
    assert isinstance(asked(("Sec-Fetch-Site", site), method="GET", policy=OPEN), Forbidden)


@pytest.mark.parametrize("site", ["none", "same-origin"])
def test_the_address_bar_comes_in(site: str) -> None:
    assert asked(("Sec-Fetch-Site", site), method="GET") is None


@pytest.mark.parametrize(
    "value", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "", "application/jsonp", "json"]
)
def test_a_body_of_another_type_is_refused(value: str) -> None:
    assert isinstance(asked(("Content-Type", value)), UnsupportedMediaType)


def test_a_body_needs_one_type() -> None:
    assert isinstance(asked(), UnsupportedMediaType)
    assert isinstance(asked(JSON, ("Content-Type", "text/plain")), UnsupportedMediaType)
    assert asked(("Content-Type", "Application/JSON; charset=utf-8")) is None


@pytest.mark.parametrize("coding", ["br", "deflate", "zstd", "gzip, gzip", "gzip, br", "nonsense"])
def test_a_body_in_another_coding_is_refused(coding: str) -> None:
    assert isinstance(asked(JSON, ("Content-Encoding", coding)), UnsupportedMediaType)


@pytest.mark.parametrize("coding", ["identity", "", "gzip", "x-gzip", "GZIP", "identity, gzip"])
def test_a_plain_or_gzip_body_comes_in(coding: str) -> None:
    assert asked(JSON, ("Content-Encoding", coding)) is None


def test_two_codings_in_two_headers_are_refused() -> None:
    twice = ("Content-Encoding", "gzip")
    assert isinstance(asked(JSON, twice, twice), UnsupportedMediaType)


def test_a_declared_length_above_the_bound_is_refused() -> None:
    assert asked(JSON, ("Content-Length", "100")) is None
    assert isinstance(asked(JSON, ("Content-Length", "101")), PayloadTooLarge)
    assert isinstance(asked(JSON, ("Content-Length", "9" * 5000)), PayloadTooLarge)


KEYED = Policy.of(Config(), b"the-key-of-this-user")


@pytest.mark.parametrize(
    "header",
    [("Authorization", "Bearer the-key-of-this-user"), ("authorization", "bearer  the-key-of-this-user"),
     ("X-Api-Key", "the-key-of-this-user")],
)  # fmt: skip
def test_the_key_opens_the_door(header: tuple[str, str]) -> None:
    assert asked(JSON, header, policy=KEYED) is None


@pytest.mark.parametrize(
    "headers",
    [[], [("Authorization", "")], [("Authorization", "Bearer ")], [("Authorization", "Bearer the-key-of-this-use")],
     [("Authorization", "Bearer the-key-of-this-user2")], [("Authorization", "Basic the-key-of-this-user")],
     [("Authorization", "the-key-of-this-user")], [("X-Api-Key", "sk-any")], [("X-Api-Key", "\udcff")],
     [("Authorization", "Bearer sk-any"), ("X-Api-Key", "the-key-of-this-user")], [("X-Api-Key", "")]],
)  # fmt: skip
def test_without_the_key_every_request_hears_the_same(headers: list[tuple[str, str]]) -> None:
    refused = asked(JSON, *headers, policy=KEYED)
    assert isinstance(refused, Unauthorized)
    assert (refused.status, refused.code, refused.message) == (401, "invalid_api_key", "Incorrect API key provided")
    assert refused.type == "authentication_error"


def test_health_needs_no_key_and_status_does() -> None:
    assert asked(method="GET", target="/health", policy=KEYED) is None
    assert asked(method="GET", target="/status", policy=KEYED) is not None
    assert asked(method="GET", target="/health?x=/status", policy=KEYED) is not None


# ----------------------------------------------------------------------------------------------- over a socket

ROUTES = [
    "/",
    "/health",
    "/status",
    "/openai/v1/models",
    "/v1/messages",
    "/v1/chat/completions",
    "/nowhere",
    "/v1/embeddings",
]


@pytest.mark.parametrize("method", ["GET", "POST", "HEAD", "OPTIONS", "DELETE", "PATCH"])
async def test_every_route_is_behind_the_guard(serve: Serve, method: str) -> None:
    async with serve() as served:
        for path in ROUTES:
            for headers in ({"Host": "evil.com"}, {"Origin": "https://evil.com"}, {"Sec-Fetch-Site": "cross-site"}):
                async with served.client.request(method, path, headers=headers) as reply:
                    assert reply.status == 403
                    assert not any(name.lower().startswith("access-control") for name in reply.headers)
    assert served.sent() == []


async def test_a_preflight_of_a_configured_origin_is_answered(serve: Serve) -> None:
    asks = {
        "Origin": "https://good.example",
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization,content-type,x-stainless-timeout,cookie",
        "Access-Control-Request-Private-Network": "true",
        "Sec-Fetch-Site": "cross-site",
    }
    async with serve(allowed_origins=("https://good.example",)) as served:
        reply = await served.client.options("/openai/v1/chat/completions", headers=asks)
    assert reply.status == 204
    headers = {name.lower(): value for name, value in reply.headers.items()}
    assert headers["access-control-allow-origin"] == "https://good.example"
    assert headers["access-control-allow-headers"] == "authorization, content-type, x-stainless-timeout"
    assert headers["vary"] == "Origin"
    assert "access-control-allow-credentials" not in headers
    assert "access-control-allow-private-network" not in headers


async def test_a_page_of_a_configured_origin_may_read_the_reply_and_its_errors(serve: Serve) -> None:
    async with serve(allowed_origins=("https://good.example",)) as served:
        for path in ("/health", "/nowhere"):
            async with served.client.get(path, headers={"Origin": "https://good.example"}) as reply:
                assert reply.headers["Access-Control-Allow-Origin"] == "https://good.example"
                assert "x-request-id" in reply.headers["Access-Control-Expose-Headers"]
        async with served.client.get("/health") as reply:
            assert "Access-Control-Allow-Origin" not in reply.headers
            assert reply.headers["Vary"] == "Origin"


async def test_a_body_too_large_is_refused_before_it_is_read(serve: Serve) -> None:
    head = b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    async with serve(max_body=1000) as served:
        reply = await told(served.url, head + b"Content-Length: 1001\r\nExpect: 100-continue\r\n\r\n", close=False)
    assert reply.startswith(b"HTTP/1.1 413 ")
    assert b'"code":"request_too_large"' in reply


async def test_a_body_is_asked_for_when_it_may_come(serve: Serve) -> None:
    head = b"POST /v1/messages HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nConnection: close\r\n"
    async with serve() as served:
        reply = await told(served.url, head + b"Content-Length: 2\r\nExpect: 100-continue\r\n\r\n{}")
    assert reply.startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n")


async def test_with_a_key_configured_no_route_answers_without_it(serve: Serve, tmp_path: Path) -> None:
    file = tmp_path / "key"
    async with serve(api_key_file=str(file)) as served:
        for path in (*ROUTES, "/openai/v1/models/x"):
            for method in ("GET", "POST", "OPTIONS", "DELETE"):
                async with served.client.request(method, path) as reply:
                    assert reply.status == 401 or path == "/health"
        key = file.read_text().strip()
        reply = await served.client.get("/status", headers={"Authorization": f"Bearer {key}"})
        assert reply.status == 200
        assert key not in await reply.text()
    assert served.sent() == []


async def test_with_a_key_configured_only_a_preflight_comes_in_without_it(serve: Serve, tmp_path: Path) -> None:
    page = "https://page.example"
    asking = {"Origin": page, "Access-Control-Request-Method": "POST"}
    async with serve(api_key_file=str(tmp_path / "key"), allowed_origins=(page,)) as served:
        async with served.client.options("/openai/v1/models", headers=asking) as reply:
            assert reply.status == 204
        async with served.client.options("/openai/v1/models", headers={"Origin": page}) as reply:
            assert reply.status == 401
    assert served.sent() == []
