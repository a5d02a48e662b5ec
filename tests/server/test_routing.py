import pytest

from tests.server.conftest import Serve
from tests.support.raw import LAST_CHUNK, SSE_HEAD, Connection, chunk

ASK = {"model": "claude-sonnet-5", "messages": [{"role": "user", "content": "hi"}]}
REPLY = (
    b'data: {"type":"message_start","message":{"id":"msg_1"}}\n\n'
    b'data: {"type":"message_delta","delta":{"stop_reason":"end_turn"}}\n\n'
    b'data: {"type":"message_stop"}\n\n'
)


async def plays(peer: Connection) -> None:
    while True:
        await peer.request()
        await peer.send(SSE_HEAD + chunk(REPLY) + LAST_CHUNK)


@pytest.mark.parametrize(
    "path",
    ["/openai/v1/chat/completions", "/v1/chat/completions", "/openai/chat/completions", "/openai/v1//chat/completions",
     "//v1/chat/completions", "/openai//v1/chat//completions//", "/v1/chat/completions/"],
)  # fmt: skip
async def test_every_way_that_clients_join_a_url_leads_to_the_endpoint(serve: Serve, path: str) -> None:
    async with serve(plays) as served:
        reply = await served.client.post(served.url + path, json=ASK)
        assert (reply.status, (await reply.json())["object"]) == (200, "chat.completion")


async def test_doubled_slashes_are_none_to_paths_with_an_id(serve: Serve) -> None:
    async with serve() as served:
        reply = await served.client.get("/openai/v1//models//claude-sonnet-5")
        assert (await reply.json())["id"] == "claude-sonnet-5"
        for path in ("/openai/v1/responses/x/", "/openai//v1/responses//x/", "/v1/responses//x//input_items/"):
            reply = await served.client.get(path)
            assert "Response with id 'x'" in (await reply.json())["error"]["message"]
        reply = await served.client.post("/openai//v1/embeddings/", json={})
        assert (await reply.json())["error"]["code"] == "unsupported_endpoint"


async def test_a_key_alone_makes_no_anthropic_client_on_openais_own_path(serve: Serve) -> None:
    async with serve() as served:
        for path, is_openai in (("/openai/v1/models", True), ("/openai/models", True), ("/v1/models", False)):
            reply = await served.client.get(path, headers={"x-api-key": "any"})
            assert ("openai-version" in reply.headers) is is_openai, path


async def test_errors_have_the_form_of_the_routes_api(serve: Serve) -> None:
    async with serve() as served:
        for path in ("/v1/messages/nope", "/v1//messages", "/v1/messages//batches"):
            assert (await (await served.client.put(path, json={})).json())["type"] == "error", path
        assert "type" not in await (await served.client.get("/v1/nope")).json()


async def test_only_the_routes_that_say_so_are_quiet(serve: Serve) -> None:
    async with serve() as served:
        for path in ("/", "/health", "/status"):
            await served.client.get(path)
        assert served.state.counters.served == 0
        await served.client.get("/openai/v1/models")
        assert served.state.counters.served == 1
