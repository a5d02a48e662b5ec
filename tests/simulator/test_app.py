import asyncio

import anthropic
import pytest

MODEL = "claude-opus-4-8"  # does not think unless asked to


def user(text):
    return [{"role": "user", "content": text}]


async def test_the_sdk_gets_an_echo_that_says_it_is_simulated(client):
    message = await client.messages.create(model=MODEL, max_tokens=100, messages=user("Hello there"))
    assert message.content[0].text == "[simulated] You said: Hello there"
    assert (message.stop_reason, message.usage.output_tokens) == ("end_turn", 5)


async def test_the_blocking_sdk_gets_the_same(simulator):
    def ask():
        with anthropic.Anthropic(api_key="test-key", base_url=simulator.url, max_retries=0) as sdk:
            return sdk.messages.create(model=MODEL, max_tokens=100, messages=user("Hi"))

    assert (await asyncio.to_thread(ask)).content[0].text == "[simulated] You said: Hi"


async def test_a_stream_folds_to_the_message_that_is_not_streamed(client):
    asked = {"model": MODEL, "max_tokens": 100, "messages": user("Grüße, 世界 and a 🙂 or two")}
    whole = await client.messages.create(**asked)
    async with client.messages.stream(**asked) as stream:
        folded = await stream.get_final_message()
    assert folded.to_dict() == whole.to_dict()


async def test_every_answer_says_in_its_headers_that_it_is_simulated(simulator):
    async with simulator.session.head(simulator.url + "/") as alive:
        assert (alive.status, alive.headers["x-simulated"]) == (200, "true")
    async with simulator.session.get(simulator.url + "/nothing/here") as lost:
        assert (lost.status, lost.headers["x-simulated"]) == (404, "true")
        assert (await lost.json())["error"] == {"type": "not_found_error", "message": "Not found"}


async def test_the_sdk_pages_through_the_models(client):
    ids = [model.id async for model in client.models.list(limit=5)]
    assert ids[0] == "claude-fable-5-2"
    assert len(ids) == len(set(ids)) == 18


async def test_an_unknown_model_is_not_found(client):
    with pytest.raises(anthropic.NotFoundError, match="model: gpt-4o"):
        await client.messages.create(model="gpt-4o", max_tokens=10, messages=user("Hi"))
    with pytest.raises(anthropic.NotFoundError, match="model: gpt-4o"):
        await client.models.retrieve("gpt-4o")
