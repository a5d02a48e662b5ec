import asyncio
from typing import Any

import pytest
from openai.types import Model
from pydantic import TypeAdapter

from tests.server.conftest import MODELS, Serve
from tests.support.raw import Connection, answer


async def rows(served: Any, path: str = "/openai/v1/models") -> dict[str, dict[str, Any]]:
    reply = await served.client.get(path)
    listed = await reply.json()
    assert (reply.status, listed["object"]) == (200, "list")
    return {row["id"]: row for row in listed["data"]}


async def test_upstreams_models_are_listed_in_openais_shape(serve: Serve) -> None:
    async with serve() as served:
        listed = await rows(served)
    TypeAdapter(list[Model]).validate_python(list(listed.values()), strict=True)
    assert listed["claude-sonnet-5"]["created"] == 1767312000
    assert list(listed) == ["claude-sonnet-5"]


async def test_aliases_are_listed_when_they_lead_somewhere(serve: Serve) -> None:
    async with serve(aliases={"gpt-4o": "sonnet", "lost": "claude-gone-1", "old": "claude-3-opus-latest"}) as served:
        listed = await rows(served, "/v1/models/")
    assert list(listed) == ["claude-sonnet-5", "gpt-4o"]


async def test_without_a_credential_the_shipped_table_is_listed(serve: Serve) -> None:
    async with serve(credential=False) as served:
        assert "claude-opus-4-5" in await rows(served)


async def test_a_model_is_found_by_id_alias_line_and_prefix(serve: Serve) -> None:
    async with serve(aliases={"gpt-4o": "sonnet"}) as served:
        for name in ("claude-sonnet-5", "gpt-4o", "sonnet", "anthropic/claude-sonnet-5", "anthropic%2Fclaude-sonnet-5"):
            reply = await served.client.get(f"/openai/v1/models/{name}")
            assert (reply.status, (await reply.json())["id"]) == (200, name.replace("%2F", "/"))


async def test_a_retired_model_is_shown_as_its_successor_and_with_a_warning(serve: Serve) -> None:
    async with serve() as served:
        reply = await served.client.get("/openai/v1/models/claude-3-5-sonnet-20241022")
        assert (reply.status, (await reply.json())["id"]) == (200, "claude-sonnet-5")
        assert reply.headers["x-claude-proxy-warnings"] == "model"


async def test_retired_models_can_be_refused(serve: Serve) -> None:
    async with serve(retired_models="refuse") as served:
        reply = await served.client.get("/openai/v1/models/claude-3-5-sonnet-20241022")
        error = (await reply.json())["error"]
    assert (reply.status, error["code"]) == (404, "model_not_found")
    assert "claude-sonnet-5" in error["message"]


async def test_upstream_is_asked_about_a_model_that_the_list_lacks(serve: Serve) -> None:
    async def play(peer: Connection) -> None:
        await peer.request()
        await peer.send(answer(b'{"id":"claude-new-9","type":"model"}', "200 OK", b"request-id: req_9"))

    async with serve(play) as served:
        reply = await served.client.get("/openai/v1/models/claude-new-9")
        assert ((await reply.json())["id"], reply.headers["x-request-id"]) == ("claude-new-9", "req_9")
    assert served.sent()[0].startswith(b"GET /v1/models/claude-new-9 HTTP/1.1")


async def test_a_model_that_upstream_does_not_know_is_not_found(serve: Serve) -> None:
    body = b'{"type":"error","error":{"type":"not_found_error","message":"model: x"}}'

    async def play(peer: Connection) -> None:
        await peer.request()
        await peer.send(answer(body, "404 Not Found"))

    async with serve(play) as served:
        reply = await served.client.get("/openai/v1/models/x")
        assert (reply.status, (await reply.json())["error"]["code"]) == (404, "model_not_found")


async def test_a_name_that_no_model_can_have_is_not_asked_for(serve: Serve) -> None:
    async with serve() as served:
        for name in ("%0d%0ax:%20y", "%C3%A4", "%00", "%2e%2e%2f", "a/../../messages", "a%2f..", "x" * 201):
            reply = await served.client.get(f"/openai/v1/models/{name}")
            assert reply.status == 404
    assert served.sent() == []


async def test_upstreams_answer_that_is_no_model_is_an_error_of_upstreams(serve: Serve) -> None:
    async def play(peer: Connection) -> None:
        await peer.request()
        await peer.send(answer(b"<html>", "200 OK"))

    async with serve(play) as served:
        reply = await served.client.get("/openai/v1/models/claude-new-9")
        assert (reply.status, (await reply.json())["error"]["code"]) == (502, "upstream_disconnected")


@pytest.mark.parametrize("path", ["/v1/models", "/v1/models/claude-sonnet-5"])
async def test_head_by_an_anthropic_client_is_answered_at_once(serve: Serve, path: str) -> None:
    async def play(peer: Connection) -> None:
        while True:
            request = await peer.request()
            body = b"{}" if request.startswith(b"GET ") else b""
            await peer.send(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n" + body)

    async with serve(play) as served:
        reply = await asyncio.wait_for(served.client.head(path, headers={"anthropic-version": "2023-06-01"}), 5)
    assert (reply.status, reply.headers["content-length"]) == (200, "2")


async def test_an_anthropic_client_gets_upstreams_own_list(serve: Serve) -> None:
    async def play(peer: Connection) -> None:
        await peer.request()
        await peer.send(answer(b'{"id": "claude-sonnet-5"}'))

    async with serve(play) as served:
        for headers in ({"anthropic-version": "2023-06-01"}, {"x-api-key": "any"}):
            reply = await served.client.get("/v1/models?limit=1", headers=headers)
            assert await reply.read() == MODELS
        reply = await served.client.get("/v1/models/claude-sonnet-5", headers={"x-api-key": "any"})
        assert await reply.read() == b'{"id": "claude-sonnet-5"}'


async def test_codex_gets_a_list_of_its_own_beside_the_usual_one(serve: Serve) -> None:
    async with serve() as served:
        listed = await (await served.client.get("/openai/v1/models?client_version=0.169.0")).json()
        plain = await (await served.client.get("/openai/v1/models")).json()
    assert (listed["models"], listed["data"]) == ([], plain["data"])
    assert "models" not in plain
