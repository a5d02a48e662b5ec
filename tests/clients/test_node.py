"""The unmodified SDKs for Node against the daemon; the scripts in `node/` do the asking."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.components import program
from tests.support.daemon import Daemon

pytestmark = pytest.mark.component("node")


async def run(script: str, url: str) -> Any:
    node = program("node")
    assert node
    process = await asyncio.create_subprocess_exec(
        node, str(Path(__file__).parent / "node" / script), url, stdout=-1, stderr=-1
    )
    async with asyncio.timeout(60):
        out, err = await process.communicate()
    assert process.returncode == 0, err.decode()
    return json.loads(out)


async def test_the_openai_sdk_for_node(daemon: Daemon):
    seen = await run("openai.mjs", daemon.openai)
    assert seen["chat"]["message"]["content"] == "Hello"
    assert seen["chat"]["finish_reason"] == "stop"
    assert seen["stream"]["content"] == "Hello, world"
    assert seen["stream"]["reasoning"] == "Hm."
    assert seen["stream"]["reasons"] == ["stop"]
    assert seen["stream"]["usage"]["completion_tokens"] > 0
    assert seen["helper"] == {"content": "Sum:", "arguments": [{"a": 1, "b": 2}, {"a": 3, "b": 4}]}
    assert seen["runner"] == {"content": "3 and 7", "results": ["3", "7"]}
    assert seen["abort"] == "aborted"
    assert seen["models"]["first"]
    errors = {name: (error["name"], error.get("status"), error.get("code")) for name, error in seen["errors"].items()}
    assert errors["limited"] == ("RateLimitError", 429, "rate_limit_exceeded")
    assert errors["overloaded"] == ("InternalServerError", 503, "server_is_overloaded")
    assert errors["unknown"] == ("NotFoundError", 404, "model_not_found")
    assert errors["misfit"] == ("BadRequestError", 400, "invalid_value")
    assert errors["cut"][0] == "APIError"
    assert seen["errors"]["misfit"]["param"] == "messages[0].role"


async def test_the_anthropic_sdk_for_node(daemon: Daemon):
    seen = await run("anthropic.mjs", daemon.url)
    assert seen == {"message": "Hello", "streamed": "Hello, world", "counted": True}
