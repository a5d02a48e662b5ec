import itertools
import re

from claude_proxy.server.app import OWN_ROUTES, ROUTES
from claude_proxy.server.routing import not_found
from tests.server.conftest import Serve


async def test_every_route_answers_with_and_without_a_trailing_slash(serve: Serve) -> None:
    paths = [(route.method, path) for route in ROUTES if route.handler is not not_found for path, _ in route.mounted()]
    paths += [(route.method, route.path) for route in OWN_ROUTES]
    async with serve() as served:
        for method, path in paths:
            plain = path.replace("{id:.+}", "claude-sonnet-5").replace("{rest:(/.*)?}", "")
            plain = re.sub(r"\{\w+\}", "x", plain)
            for spelling in {plain, plain.rstrip("/") + "/"}:
                reply = await served.client.request("POST" if method == "*" else method, spelling, json={})
                # The feed of the page ends with its viewer.
                answer = "" if reply.content_type == "text/event-stream" else await reply.text()
                assert "Invalid URL" not in answer, spelling
                assert reply.status not in (405, 500), spelling
                reply.close()


async def test_an_unknown_path_is_a_404_in_openais_words(serve: Serve) -> None:
    paths = ("/openai/v1/nope", "/v1", "/openai/v1/", "/v1/x/y", "/openai/v1/messages", "/favicon.ico")
    async with serve() as served:
        for path, method in itertools.product(paths, ("GET", "POST", "DELETE")):
            reply = await served.client.request(method, path)
            assert reply.status == 404
            assert await reply.json() == {
                "error": {
                    "message": f"Invalid URL ({method} {path})",
                    "type": "invalid_request_error",
                    "param": None,
                    "code": "not_found",
                }
            }


async def test_a_wrong_method_is_a_405_that_names_the_right_one(serve: Serve) -> None:
    async with serve() as served:
        for path in ("/openai/v1/chat/completions", "/v1/chat/completions/", "/openai/v1/models", "/health"):
            reply = await served.client.delete(path)
            assert (reply.status, (await reply.json())["error"]["code"]) == (405, "method_not_allowed")
            assert reply.headers["Allow"] in ("POST", "GET, HEAD")


async def test_a_wrong_method_on_anthropics_path_is_told_in_anthropics_words(serve: Serve) -> None:
    async with serve() as served:
        reply = await served.client.get("/v1/messages")
        error = await reply.json()
    assert (reply.status, error["type"], error["error"]["type"]) == (405, "error", "invalid_request_error")


async def test_head_of_the_root_says_that_somebody_is_there(serve: Serve) -> None:
    async with serve() as served:
        reply = await served.client.head("/")
        assert (reply.status, await reply.read()) == (200, b"")


async def test_the_list_of_models_is_asked_for_at_the_start_and_once(serve: Serve) -> None:
    async with serve() as served:
        await served.state.catalog.models()
        await served.state.catalog.models()
    assert sum(each.startswith(b"GET /v1/models?") for each in served.upstream.requests) == 1
