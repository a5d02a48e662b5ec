import itertools

from claude_proxy.server.unsupported import UNSUPPORTED
from tests.server.conftest import Serve


async def test_what_is_not_offered_is_a_404_that_says_why(serve: Serve) -> None:
    async with serve() as served:
        for name, mount in itertools.product(UNSUPPORTED, ("/openai/v1", "/v1")):
            reply = await served.client.post(f"{mount}/{name}", json={})
            error = (await reply.json())["error"]
            assert (reply.status, error["code"], error["type"]) == (
                404,
                "unsupported_endpoint",
                "invalid_request_error",
            )
            assert all(text in error["message"] for text in UNSUPPORTED[name])
    assert served.sent() == []


async def test_so_is_what_stands_below_it(serve: Serve) -> None:
    paths = ("audio/transcriptions", "files/file-1/content", "fine_tuning/jobs", "batches/")
    async with serve() as served:
        for path, method in itertools.product(paths, ("GET", "POST", "DELETE")):
            reply = await served.client.request(method, f"/openai/v1/{path}")
            assert (reply.status, (await reply.json())["error"]["code"]) == (404, "unsupported_endpoint")


async def test_an_upload_hears_the_reason_and_not_that_it_is_no_json(serve: Serve) -> None:
    async with serve() as served:
        headers = {"Content-Type": "multipart/form-data; boundary=x"}
        reply = await served.client.post("/openai/v1/audio/transcriptions", data=b"--x--", headers=headers)
        assert (reply.status, (await reply.json())["error"]["code"]) == (404, "unsupported_endpoint")


async def test_a_name_that_only_begins_alike_is_an_invalid_url(serve: Serve) -> None:
    async with serve() as served:
        reply = await served.client.get("/openai/v1/filesystem")
        assert (await reply.json())["error"]["code"] == "not_found"
