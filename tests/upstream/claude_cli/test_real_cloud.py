"""The real Claude CLI set up for a cloud: Google Vertex AI, played on loopback by the CLI's own variables for that."""

import asyncio
import json
from pathlib import Path

import pytest
from aiohttp import web
from openai import AsyncOpenAI

from tests.support.claude_cli import cli_daemon, log_in
from tests.support.components import claude_programs
from tests.support.daemon import listening

pytestmark = [pytest.mark.component("claude"), pytest.mark.component("claude-old")]

EVENTS = (
    {"type": "message_start", "message": {"id": "msg_1", "type": "message", "role": "assistant", "content": []}},
    {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "from the cloud"}},
    {"type": "content_block_stop", "index": 0},
    {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 3}},
    {"type": "message_stop"},
)


def cloud(asked: list[web.Request]) -> web.Application:
    """A stand-in for the cloud; `asked` gets what it was asked."""

    async def answer(request: web.Request) -> web.StreamResponse:
        await request.read()
        asked.append(request)
        response = web.StreamResponse(headers={"content-type": "text/event-stream"})
        await response.prepare(request)
        for event in EVENTS:
            usage = {"usage": {"input_tokens": 1, "output_tokens": 1}, "model": "claude-haiku-4-5", "stop_reason": None}
            told = {**event, "message": {**event["message"], **usage}} if "message" in event else event  # type: ignore[dict-item]
            await response.write(f"event: {event['type']}\ndata: {json.dumps(told)}\n\n".encode())
        await asyncio.sleep(0)
        return response

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    return app


@pytest.mark.parametrize("version", ["new", "old"])
@pytest.mark.parametrize("place", ["environment", "settings"])
async def test_auto_uses_a_cli_that_is_set_up_for_a_cloud(version: str, place: str, home: Path) -> None:
    asked: list[web.Request] = []
    log_in(home)
    async with listening(cloud(asked)) as address:
        variables = {
            "CLAUDE_CODE_USE_VERTEX": "1",
            "CLAUDE_CODE_SKIP_VERTEX_AUTH": "1",
            "ANTHROPIC_VERTEX_BASE_URL": address,
            "ANTHROPIC_VERTEX_PROJECT_ID": "project-x",
            "CLOUD_ML_REGION": "region-y",
        }
        if place == "settings":
            (home / ".claude/settings.json").write_text(json.dumps({"env": variables}))
        environ = variables if place == "environment" else {}
        async with (
            cli_daemon(claude_programs()[version], home, backend="auto", environ=environ) as daemon,
            AsyncOpenAI(base_url=daemon.openai, api_key="x", max_retries=0) as client,
        ):
            answer = await client.chat.completions.create(
                model="claude-haiku-4-5", messages=[{"role": "user", "content": "hello"}]
            )
            status = daemon.state.backend.status()
            assert not daemon.messages
    assert answer.choices[0].message.content == "from the cloud"
    assert status.reason == "the Claude CLI is set up for Google Vertex AI"
    (request,) = asked
    assert request.path.startswith(
        "/projects/project-x/locations/region-y/publishers/anthropic/models/claude-haiku-4-5"
    )
    assert "sk-ant" not in str(request.headers)
