"""OpenAI's Agents SDK with its default model, the Responses API, and with the conversations that the daemon keeps."""

import openai
from agents import (
    Agent,
    ModelSettings,
    OpenAIConversationsSession,
    OpenAIResponsesModel,
    Runner,
    function_tool,
    set_tracing_disabled,
)
from checks import API_KEY, ASK_WEATHER, BASE_URL, DRAW, DRAWING, Drawing, get_weather, knows_the_weather, run
from openai.types.shared import Reasoning

set_tracing_disabled(True)  # it goes to OpenAI
client = openai.AsyncOpenAI(base_url=BASE_URL, api_key=API_KEY, max_retries=0)


def agent(model: str, **settings: object) -> Agent:
    return Agent(
        **({"name": "Ada", "instructions": "Be brief.", "model": OpenAIResponsesModel(model, client)} | settings)
    )


async def chat(model: str) -> None:
    result = await Runner.run(agent(model), "Hello")
    assert "Hello" in result.final_output
    assert result.context_wrapper.usage.total_tokens > 0


async def stream(model: str) -> None:
    streamed = Runner.run_streamed(agent(model), "Hello\n/simulate text One two three.")
    said = [
        event.data.delta
        async for event in streamed.stream_events()
        if event.type == "raw_response_event" and event.data.type == "response.output_text.delta"
    ]
    assert "".join(said) == streamed.final_output == "One two three."


async def tool_round_trip_with_thinking(model: str) -> None:
    settings = ModelSettings(
        reasoning=Reasoning(effort="low"), parallel_tool_calls=True, response_include=["reasoning.encrypted_content"]
    )
    asked = agent(model, tools=[function_tool(get_weather)], model_settings=settings)
    result = await Runner.run(asked, ASK_WEATHER)
    assert knows_the_weather(result.final_output)
    assert [item.type for item in result.new_items].count("tool_call_item") == 2


async def conversation_session(model: str) -> None:
    session = OpenAIConversationsSession(openai_client=client)
    asked = agent(model, tools=[function_tool(get_weather)])
    assert knows_the_weather((await Runner.run(asked, ASK_WEATHER, session=session)).final_output)
    assert "Thank you" in (await Runner.run(asked, "Thank you", session=session)).final_output
    assert len(await session.get_items()) > 4
    await session.clear_session()


async def previous_response(model: str) -> None:
    first = await Runner.run(agent(model), "My name is Ada")
    second = await Runner.run(agent(model), "And now?", previous_response_id=first.last_response_id)
    assert "And now?" in second.final_output


async def hand_off(model: str) -> None:
    second = agent(model, name="Grace", handoff_description="Knows better.")
    prompt = "Hello\n/simulate tool transfer_to_grace {}\n/simulate next\n/simulate text I am Grace."
    result = await Runner.run(agent(model, handoffs=[second]), prompt)
    assert (result.last_agent.name, result.final_output) == ("Grace", "I am Grace.")


async def typed_answer(model: str) -> None:
    assert (await Runner.run(agent(model, output_type=Drawing), DRAW)).final_output == DRAWING


run(
    chat,
    stream,
    tool_round_trip_with_thinking,
    conversation_session,
    previous_response,
    hand_off,
    typed_answer,
)
