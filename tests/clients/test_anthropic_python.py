"""The unmodified Anthropic SDK on the native path: what it gets is what upstream sent, byte for byte."""

import json
from typing import Any

import aiohttp
import anthropic
import pytest
from anthropic import AsyncAnthropic

from tests.clients.conftest import MODEL
from tests.support.daemon import KEY, Daemon


def user(text: str) -> Any:
    return [{"role": "user", "content": text}]


async def test_a_message(native: AsyncAnthropic):
    message = await native.messages.create(model=MODEL, max_tokens=50, messages=user("/simulate text Hello"))
    assert [block.type for block in message.content] == ["text"]
    assert message.stop_reason == "end_turn"


async def test_a_stream_is_gathered_by_the_sdks_helper(native: AsyncAnthropic):
    script = '/simulate text Let me see.\n/simulate tool now {"zone": "utc"}'
    tools: Any = [{"name": "now", "input_schema": {"type": "object"}}]
    async with native.messages.stream(model=MODEL, max_tokens=500, messages=user(script), tools=tools) as stream:
        text = "".join([piece async for piece in stream.text_stream])
        message = await stream.get_final_message()
    assert text == "Let me see."
    assert message.content[1].type == "tool_use"
    assert message.content[1].input == {"zone": "utc"}


async def test_thinking_keeps_its_signature(native: AsyncAnthropic):
    thinking: Any = {"type": "enabled", "budget_tokens": 1024}
    messages = user("/simulate thinking Let me think.\n/simulate text Done.")
    message = await native.messages.create(model=MODEL, max_tokens=2000, messages=messages, thinking=thinking)
    assert message.content[0].type == "thinking"
    assert message.content[0].signature
    answer: Any = [*messages, {"role": "assistant", "content": message.content}, *user("/simulate text Again.")]
    again = await native.messages.create(model=MODEL, max_tokens=2000, messages=answer, thinking=thinking)
    assert again.content[0].type in ("text", "thinking")


async def test_tokens_are_counted(native: AsyncAnthropic):
    count = await native.messages.count_tokens(model=MODEL, messages=user("How many are these?"))
    assert count.input_tokens > 0


async def test_models_are_listed_in_anthropics_shape(native: AsyncAnthropic):
    models = [model async for model in native.models.list()]
    assert models[0].display_name.startswith("Claude")
    assert (await native.models.retrieve(models[0].id)).id == models[0].id


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, anthropic.BadRequestError),
        (404, anthropic.NotFoundError),
        (429, anthropic.RateLimitError),
        (529, anthropic.InternalServerError),
    ],
)
async def test_upstreams_errors_stay_anthropics(
    native: AsyncAnthropic, status: int, kind: type[anthropic.APIStatusError]
):
    with pytest.raises(kind) as caught:
        await native.messages.create(
            model=MODEL, max_tokens=5, messages=user(f"/simulate status {status} retry-after=3")
        )
    assert caught.value.status_code == status
    body: Any = caught.value.body
    assert body["type"] == "error"
    assert caught.value.response.headers["retry-after"] == "3"


async def test_an_error_within_a_stream_arrives_as_upstream_sent_it(native: AsyncAnthropic):
    script = "/simulate text Half an\n/simulate error overloaded_error Too busy"
    stream = await native.messages.create(model=MODEL, max_tokens=50, messages=user(script), stream=True)
    with pytest.raises(anthropic.APIStatusError, match="Too busy"):
        [event async for event in stream]


async def test_bytes_are_untouched_both_ways_and_the_credential_is_ours(daemon: Daemon):
    body = b'{ "model":"claude-haiku-4-5",  "max_tokens":5, "messages":[{"role":"user","content":"\\u00e9 hi"}] }'
    headers = {
        "content-type": "application/json",
        "anthropic-version": "2023-06-01",
        "anthropic-beta": "interleaved-thinking-2025-05-14",
        "x-api-key": "the client's own",
        "cookie": "a=b",
    }
    async with aiohttp.ClientSession(headers=headers) as session:
        url = f"{daemon.url}/v1/messages?beta=true"
        async with session.post(url, data=body) as response:
            answered = await response.read()
            assert response.status == 200
    sent = next(sent for sent in daemon.sent if sent.path == "/v1/messages?beta=true")
    assert sent.body == body
    assert sent.headers["anthropic-beta"] == "interleaved-thinking-2025-05-14"
    assert sent.headers["x-api-key"] == KEY
    assert "cookie" not in sent.headers
    assert json.loads(answered)["type"] == "message"
