"""POST completions with the newest SDK, through the whole daemon."""

import openai
import pytest

from tests.support.daemon import daemon

MODEL = "claude-haiku-4-5"


async def test_the_sdk_gets_a_completion_streamed_and_not():
    async with daemon() as running, openai.AsyncOpenAI(base_url=running.openai, api_key="k", max_retries=0) as client:
        whole = await client.completions.create(model=MODEL, prompt="Once\n/simulate text upon a time", echo=True)
        assert whole.choices[0].text.endswith("upon a time")
        assert whole.choices[0].text.startswith("Once")
        assert whole.choices[0].finish_reason == "stop"
        assert whole.usage is not None
        stream = await client.completions.create(
            model=MODEL,
            prompt=["A\n/simulate text one", "B\n/simulate text two"],
            stream=True,
            stream_options={"include_usage": True},
        )
        texts, usage = {0: "", 1: ""}, None
        async for chunk in stream:
            usage = chunk.usage or usage
            for choice in chunk.choices:
                texts[choice.index] += choice.text
        assert texts == {0: "one", 1: "two"}
        assert usage is not None


async def test_what_cannot_be_done_is_refused_with_a_reason():
    async with daemon() as running, openai.AsyncOpenAI(base_url=running.openai, api_key="k", max_retries=0) as client:
        with pytest.raises(openai.BadRequestError) as refusal:
            await client.completions.create(model=MODEL, prompt="def f(", suffix="return x")
        assert refusal.value.param == "suffix"
        with pytest.raises(openai.APIError):
            async for _ in await client.completions.create(
                model=MODEL, prompt="x\n/simulate text Half\n/simulate cut", stream=True
            ):
                pass
