"""OpenAI's Agents SDK with its Chat Completions model."""

import openai
from agents import (
    Agent,
    ModelSettings,
    OpenAIChatCompletionsModel,
    Runner,
    SQLiteSession,
    function_tool,
    set_tracing_disabled,
)
from checks import (
    API_KEY,
    ASK_WEATHER,
    BASE_URL,
    DRAW,
    DRAWING,
    NOBODY,
    PDF,
    PNG,
    Drawing,
    data_url,
    get_weather,
    knows_the_weather,
    raises,
    run,
)
from openai.types.shared import Reasoning

set_tracing_disabled(True)  # it goes to OpenAI
client = openai.AsyncOpenAI(base_url=BASE_URL, api_key=API_KEY, max_retries=0)


def agent(model: str, **settings: object) -> Agent:
    chat_model = OpenAIChatCompletionsModel(model, client)
    return Agent(**({"name": "Ada", "instructions": "Be brief.", "model": chat_model} | settings))


async def chat(model: str) -> None:
    result = await Runner.run(agent(model), "Hello")
    assert "Hello" in result.final_output
    assert result.context_wrapper.usage.total_tokens > 0


async def stream_with_usage(model: str) -> None:
    streamed = Runner.run_streamed(
        agent(model, model_settings=ModelSettings(include_usage=True)), "Hello\n/simulate text One two three."
    )
    said = [
        event.data.delta
        async for event in streamed.stream_events()
        if event.type == "raw_response_event" and event.data.type == "response.output_text.delta"
    ]
    assert "".join(said) == streamed.final_output == "One two three."
    assert len(said) > 1
    assert streamed.context_wrapper.usage.output_tokens > 0


async def reasoning(model: str) -> None:
    asked = agent(model, model_settings=ModelSettings(reasoning=Reasoning(effort="low")))
    result = await Runner.run(asked, "Hello")
    thoughts = [item.raw_item for item in result.new_items if item.type == "reasoning_item"]
    assert thoughts[0].summary[0].text


async def tool_round_trip(model: str) -> None:
    asked = agent(model, tools=[function_tool(get_weather)], model_settings=ModelSettings(parallel_tool_calls=True))
    session = SQLiteSession("one")
    result = await Runner.run(asked, ASK_WEATHER, session=session)
    assert knows_the_weather(result.final_output)
    assert [item.type for item in result.new_items].count("tool_call_item") == 2
    # The whole history once more, thoughts and calls and all.
    assert "Thank you" in (await Runner.run(asked, "Thank you", session=session)).final_output


async def tool_round_trip_streamed(model: str) -> None:
    streamed = Runner.run_streamed(agent(model, tools=[function_tool(get_weather)]), ASK_WEATHER)
    async for _ in streamed.stream_events():
        pass
    assert knows_the_weather(streamed.final_output)


async def forced_call(model: str) -> None:
    asked = agent(model, tools=[function_tool(get_weather)], model_settings=ModelSettings(tool_choice="required"))
    assert knows_the_weather((await Runner.run(asked, ASK_WEATHER)).final_output)


async def hand_off(model: str) -> None:
    second = agent(model, name="Grace", handoff_description="Knows better.")
    prompt = "Hello\n/simulate tool transfer_to_grace {}\n/simulate next\n/simulate text I am Grace."
    result = await Runner.run(agent(model, handoffs=[second]), prompt)
    assert result.last_agent.name == "Grace"
    assert result.final_output == "I am Grace."


async def typed_answer(model: str) -> None:
    assert (await Runner.run(agent(model, output_type=Drawing), DRAW)).final_output == DRAWING


async def typed_answer_after_tools(model: str) -> None:
    prompt = f"{ASK_WEATHER}\n/simulate next\n/simulate text {DRAWING.model_dump_json()}"
    asked = agent(model, tools=[function_tool(get_weather)], output_type=Drawing)
    assert (await Runner.run(asked, prompt)).final_output == DRAWING


async def media(model: str) -> None:
    image = {"type": "input_image", "image_url": data_url("image/png", PNG), "detail": "auto"}
    pdf = {"type": "input_file", "file_data": data_url("application/pdf", PDF), "filename": "a.pdf"}
    asked = [{"role": "user", "content": [{"type": "input_text", "text": "Look."}, image, pdf]}]
    said = (await Runner.run(agent(model), asked)).final_output
    assert [said.count("(image)"), said.count("(document)")] == [1, 1]


async def unknown_model(model: str) -> None:
    with raises(openai.NotFoundError) as caught:
        await Runner.run(agent(NOBODY), "Hello")
    assert caught.error.code == "model_not_found"


run(
    chat,
    stream_with_usage,
    reasoning,
    tool_round_trip,
    tool_round_trip_streamed,
    forced_call,
    hand_off,
    typed_answer,
    typed_answer_after_tools,
    media,
    unknown_model,
)
