"""pydantic-ai: an agent with tools, and each of its ways to a typed answer."""

from checks import (
    API_KEY,
    ASK_WEATHER,
    BASE_URL,
    DRAW,
    DRAW_BY_TOOL,
    DRAWING,
    NOBODY,
    Drawing,
    get_weather,
    knows_the_weather,
    raises,
    run,
)
from pydantic_ai import Agent, ModelHTTPError, NativeOutput, PromptedOutput, ToolOutput
from pydantic_ai.messages import ThinkingPart
from pydantic_ai.models.openai import OpenAIChatModel, OpenAIChatModelSettings
from pydantic_ai.providers.openai import OpenAIProvider

provider = OpenAIProvider(base_url=BASE_URL, api_key=API_KEY)


def agent(model: str, **settings: object) -> Agent:
    return Agent(OpenAIChatModel(model, provider=provider), **settings)


async def chat(model: str) -> None:
    result = await agent(model, instructions="Be brief.").run("Hello")
    assert "Hello" in result.output
    assert result.usage.input_tokens > 0 < result.usage.output_tokens


async def stream_with_usage(model: str) -> None:
    async with agent(model).run_stream("Hello\n/simulate text One two three.") as result:
        said = [text async for text in result.stream_text(delta=True, debounce_by=None)]
    assert "".join(said) == "One two three."
    assert len(said) > 1
    assert result.usage.output_tokens > 0


async def reasoning(model: str) -> None:
    settings = OpenAIChatModelSettings(openai_reasoning_effort="low")
    result = await agent(model, model_settings=settings).run("Hello")
    thoughts = [part for message in result.all_messages() for part in message.parts if isinstance(part, ThinkingPart)]
    assert thoughts[0].content


async def tool_round_trip(model: str) -> None:
    result = await agent(model, tools=[get_weather]).run(ASK_WEATHER)
    assert knows_the_weather(result.output)
    # The whole history once more, thoughts and calls and all.
    again = await agent(model, tools=[get_weather]).run("Thank you", message_history=result.all_messages())
    assert "Thank you" in again.output


async def tool_round_trip_streamed(model: str) -> None:
    # Text before a call would end a streamed run: to this library it is the answer.
    asked = ASK_WEATHER.replace("/simulate text I will look.\n", "")
    async with agent(model, tools=[get_weather]).run_stream(asked) as result:
        assert knows_the_weather(await result.get_output())


async def typed_answer_by_tool(model: str) -> None:
    assert (await agent(model, output_type=Drawing).run(DRAW_BY_TOOL)).output == DRAWING
    assert (await agent(model, output_type=ToolOutput(Drawing, strict=True)).run(DRAW_BY_TOOL)).output == DRAWING


async def typed_answer_streamed(model: str) -> None:
    async with agent(model, output_type=Drawing).run_stream(DRAW_BY_TOOL) as result:
        assert await result.get_output() == DRAWING


async def typed_answer_by_schema(model: str) -> None:
    assert (await agent(model, output_type=NativeOutput(Drawing)).run(DRAW)).output == DRAWING


async def typed_answer_by_json_mode(model: str) -> None:
    assert (await agent(model, output_type=PromptedOutput(Drawing)).run(DRAW)).output == DRAWING


async def typed_answer_after_tools(model: str) -> None:
    prompt = f"{ASK_WEATHER}\n/simulate next\n/simulate tool final_result {DRAWING.model_dump_json()}"
    assert (await agent(model, tools=[get_weather], output_type=Drawing).run(prompt)).output == DRAWING
    prompt = f"{ASK_WEATHER}\n/simulate next\n/simulate text {DRAWING.model_dump_json()}"
    assert (await agent(model, tools=[get_weather], output_type=NativeOutput(Drawing)).run(prompt)).output == DRAWING


async def unknown_model(model: str) -> None:
    with raises(ModelHTTPError) as caught:
        await agent(NOBODY).run("Hello")
    assert caught.error.status_code == 404
    assert caught.error.body["code"] == "model_not_found"


run(
    chat,
    stream_with_usage,
    reasoning,
    tool_round_trip,
    tool_round_trip_streamed,
    typed_answer_by_tool,
    typed_answer_streamed,
    typed_answer_by_schema,
    typed_answer_by_json_mode,
    typed_answer_after_tools,
    unknown_model,
)
