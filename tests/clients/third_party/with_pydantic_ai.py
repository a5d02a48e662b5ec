"""pydantic-ai: an agent with tools, and each of its ways to a typed answer."""

from checks import (
    API_KEY,
    ASK_WEATHER,
    BASE_URL,
    CUT,
    DRAW,
    DRAW_BY_TOOL,
    DRAWING,
    NOBODY,
    PDF,
    PNG,
    REFUSED,
    Drawing,
    get_weather,
    knows_the_weather,
    raises,
    run,
)
from openai import AsyncOpenAI
from pydantic_ai import (
    Agent,
    BinaryContent,
    ImageUrl,
    NativeOutput,
    PromptedOutput,
    ToolOutput,
)
from pydantic_ai.exceptions import (
    ContentFilterError,
    ModelContextWindowExceededError,
    ModelNotFoundError,
    ModelOverloadedError,
    ModelQuotaExceededError,
    ModelRateLimitError,
    ModelServerError,
)
from pydantic_ai.messages import ThinkingPart
from pydantic_ai.models.openai import OpenAIChatModel, OpenAIChatModelSettings
from pydantic_ai.providers.openai import OpenAIProvider

provider = OpenAIProvider(openai_client=AsyncOpenAI(base_url=BASE_URL, api_key=API_KEY, max_retries=0))


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


async def media(model: str) -> None:
    shown = [
        BinaryContent(PNG, media_type="image/png"),
        ImageUrl("https://example.com/picture.png"),
        BinaryContent(PDF, media_type="application/pdf"),
    ]
    said = (await agent(model).run(["Look.", *shown])).output
    assert [said.count("(image)"), said.count("(document)")] == [2, 1]


async def image_from_a_tool(model: str) -> None:
    def take_picture() -> BinaryContent:
        return BinaryContent(PNG, media_type="image/png")

    prompt = "Look.\n/simulate tool take_picture"
    # It sends the picture in a message of the user's, after a result that names it.
    assert "take_picture -> See file" in (await agent(model, tools=[take_picture]).run(prompt)).output


async def refusal_and_cut(model: str) -> None:
    with raises(ContentFilterError):
        await agent(model).run(REFUSED)
    assert (await agent(model).run(CUT)).response.finish_reason == "length"


async def errors(model: str) -> None:
    """The library sorts errors by their codes."""
    too_long = "400 message='prompt is too long: 210000 tokens > 200000 maximum'"
    for status, kind in {
        "429": ModelRateLimitError,
        "400 message='Your credit balance is too low to access the Anthropic API.'": ModelQuotaExceededError,
        too_long: ModelContextWindowExceededError,
        "500": ModelServerError,
        "529": ModelOverloadedError,
    }.items():
        with raises(kind):
            await agent(model).run(f"Hello\n/simulate status {status}")


async def errors_in_a_stream(model: str) -> None:
    for event, kind in {
        "rate_limit_error": ModelRateLimitError,
        "overloaded_error": ModelOverloadedError,
        "api_error": ModelServerError,
    }.items():
        with raises(kind):
            async with agent(model).run_stream(f"Hello\n/simulate text One\n/simulate error {event}") as result:
                await result.get_output()


async def unknown_model(model: str) -> None:
    with raises(ModelNotFoundError) as caught:
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
    media,
    image_from_a_tool,
    refusal_and_cut,
    errors,
    errors_in_a_stream,
    unknown_model,
)
