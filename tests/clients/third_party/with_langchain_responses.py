"""LangChain's ChatOpenAI with the Responses API."""

from checks import (
    API_KEY,
    ASK_WEATHER,
    BASE_URL,
    DRAW,
    DRAWING,
    PNG,
    REFUSED,
    Drawing,
    data_url,
    get_weather,
    knows_the_weather,
    run,
)
from langchain_core.messages import AIMessageChunk, HumanMessage, SystemMessage, ToolMessage
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI

weather = tool(get_weather)


def chat_model(model: str, **settings: object) -> ChatOpenAI:
    return ChatOpenAI(
        model=model, base_url=BASE_URL, api_key=API_KEY, max_retries=0, use_responses_api=True, **settings
    )


def chat(model: str) -> None:
    answer = chat_model(model, max_tokens=500).invoke([SystemMessage("Be brief."), HumanMessage("Hello")])
    assert "Hello" in answer.text
    assert answer.usage_metadata["total_tokens"] > answer.usage_metadata["input_tokens"] > 0


def stream(model: str) -> None:
    whole = AIMessageChunk("")
    for chunk in chat_model(model).stream("Hello\n/simulate text One two three."):
        whole += chunk
    assert whole.text == "One two three."


def tool_round_trip(model: str) -> None:
    bound = chat_model(model, include=["reasoning.encrypted_content"], store=False).bind_tools([weather])
    messages = [HumanMessage(ASK_WEATHER)]
    answer = bound.invoke(messages)
    assert len(answer.tool_calls) == 2
    results = [ToolMessage(weather.invoke(call["args"]), tool_call_id=call["id"]) for call in answer.tool_calls]
    assert knows_the_weather(bound.invoke([*messages, answer, *results]).text)


def typed_answer(model: str) -> None:
    assert chat_model(model).with_structured_output(Drawing, method="json_schema").invoke(DRAW) == DRAWING


def image(model: str) -> None:
    parts = [{"type": "text", "text": "Look."}, {"type": "image_url", "image_url": {"url": data_url("image/png", PNG)}}]
    assert "(image)" in chat_model(model).invoke([HumanMessage(parts)]).text


def refusal(model: str) -> None:
    answer = chat_model(model).invoke(REFUSED)
    assert "I will not." in str(answer.content) + str(answer.additional_kwargs)


run(chat, stream, tool_round_trip, typed_answer, image, refusal)
