from pathlib import Path

import aiohttp

from tests.support.daemon import daemon

ASK = {"model": "claude-sonnet-4-5", "max_tokens": 100, "messages": [{"role": "user", "content": "Hello"}]}


async def test_usage_has_the_request_that_has_just_ended(tmp_path: Path):
    async with daemon(store_file=tmp_path / "data" / "a.sqlite3") as proxy, aiohttp.ClientSession() as client:
        async with client.post(f"{proxy.openai}/chat/completions", json=ASK) as reply:
            told = (await reply.json())["usage"]
        async with client.get(f"{proxy.url}/usage?by=model&since=1h") as reply:
            assert reply.status == 200
            found = await reply.json()
        async with client.get(f"{proxy.url}/status") as reply:
            assert (await reply.json())["requests"] == 1
    (row,) = found["rows"]
    assert row["requests"] == 1
    assert row["key"].startswith("claude-sonnet-4-5")
    assert row["input_tokens"] + row["cache_read_tokens"] + row["cache_write_tokens"] == told["prompt_tokens"]
    assert row["output_tokens"] == told["completion_tokens"]
    assert row["cost_usd"] > 0


async def test_a_query_that_cannot_be_read_is_refused(tmp_path: Path):
    async with daemon(store_file=tmp_path / "data" / "a.sqlite3") as proxy, aiohttp.ClientSession() as client:
        for query in ("since=yesterday", "by=hour"):
            async with client.get(f"{proxy.url}/usage?{query}") as reply:
                assert reply.status == 400
                assert (await reply.json())["error"]["param"] == query.partition("=")[0]


async def test_without_a_ledger_there_is_no_usage(tmp_path: Path):
    async with (
        daemon(store_file=tmp_path / "data" / "a.sqlite3", usage=False) as proxy,
        aiohttp.ClientSession() as client,
    ):
        async with client.post(f"{proxy.openai}/chat/completions", json=ASK) as reply:
            assert reply.status == 200
        async with client.get(f"{proxy.url}/usage") as reply:
            assert reply.status == 404
            assert (await reply.json())["error"]["code"] == "usage_disabled"
