"""pydantic-ai with its model for the Responses API."""

from checks import API_KEY, ASK_WEATHER, BASE_URL, DRAW, DRAWING, Drawing, get_weather, knows_the_weather, run
from openai import AsyncOpenAI
from pydantic_ai import Agent, NativeOutput
from pydantic_ai.messages import ThinkingPart
from pydantic_ai.models.openai import OpenAIResponsesModel, OpenAIResponsesModelSettings
from pydantic_ai.providers.openai import OpenAIProvider

provider = OpenAIProvider(openai_client=AsyncOpenAI(base_url=BASE_URL, api_key=API_KEY, max_retries=0))


def agent(model: str, **settings: object) -> Agent:
    return Agent(OpenAIResponsesModel(model, provider=provider), **settings)


async def chat(model: str) -> None:
    result = await agent(model, instructions="Be brief.").run("Hello")
    assert "Hello" in result.output
    assert result.usage.output_tokens > 0


async def stream(model: str) -> None:
    async with agent(model).run_stream("Hello\n/simulate text One two three.") as streamed:
        said = [text async for text in streamed.stream_text(delta=True, debounce_by=None)]
    assert "".join(said) == "One two three."


async def tools_and_thinking(model: str) -> None:
    settings = OpenAIResponsesModelSettings(openai_reasoning_effort="low", openai_reasoning_summary="auto")
    asked = agent(model, tools=[get_weather], model_settings=settings)
    result = await asked.run(f"/simulate thinking Hm.\n{ASK_WEATHER}")
    assert knows_the_weather(result.output)
    parts = [part for message in result.all_messages() for part in message.parts]
    assert any(isinstance(part, ThinkingPart) for part in parts)
    again = await asked.run("Thank you", message_history=result.all_messages())
    assert "Thank you" in again.output


async def native_output(model: str) -> None:
    assert (await agent(model, output_type=NativeOutput(Drawing)).run(DRAW)).output == DRAWING


run(chat, stream, tools_and_thinking, native_output)
