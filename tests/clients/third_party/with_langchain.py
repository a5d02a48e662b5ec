"""LangChain's ChatOpenAI."""

import base64
import warnings

import openai
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
    data_url,
    get_weather,
    knows_the_weather,
    raises,
    run,
)
from langchain_core.exceptions import ContextOverflowError
from langchain_core.messages import AIMessageChunk, HumanMessage, SystemMessage, ToolMessage
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI

# The SDK declares no type for what `parse` made of an answer, and this library dumps it to a dict.
warnings.filterwarnings("ignore", message="(?s).*field_name='parsed'", category=UserWarning)
weather = tool(get_weather)


def chat_model(model: str, **settings: object) -> ChatOpenAI:
    return ChatOpenAI(model=model, base_url=BASE_URL, api_key=API_KEY, max_retries=0, **settings)


def chat(model: str) -> None:
    answer = chat_model(model, max_tokens=500).invoke([SystemMessage("Be brief."), HumanMessage("Hello")])
    assert "Hello" in answer.text
    assert answer.usage_metadata["total_tokens"] > answer.usage_metadata["input_tokens"] > 0
    assert answer.response_metadata["finish_reason"] == "stop"
    assert answer.response_metadata["model_name"] == model


def stream_with_usage(model: str) -> None:
    plain = chat_model(model).invoke("Hello\n/simulate text One two three.")
    whole = AIMessageChunk("")
    for chunk in chat_model(model, stream_usage=True).stream("Hello\n/simulate text One two three."):
        whole += chunk
    assert whole.text == plain.text == "One two three."
    # It adds up the usage of all chunks: one that counts twice shows here.
    for count in ("input_tokens", "output_tokens", "total_tokens"):
        assert whole.usage_metadata[count] == plain.usage_metadata[count] > 0


async def several_at_once(model: str) -> None:
    answers = await chat_model(model).abatch(["Hello one", "Hello two"])
    assert ["one" in answers[0].text, "two" in answers[1].text] == [True, True]


def tool_round_trip(model: str) -> None:
    bound = chat_model(model).bind_tools([weather])
    messages = [HumanMessage(ASK_WEATHER)]
    messages.append(bound.invoke(messages))
    answer_calls(messages)
    assert knows_the_weather(bound.invoke(messages).text)


def tool_round_trip_streamed(model: str) -> None:
    bound = chat_model(model).bind_tools([weather], parallel_tool_calls=True)
    messages = [HumanMessage(ASK_WEATHER)]
    whole = AIMessageChunk("")
    for chunk in bound.stream(messages):
        whole += chunk
    messages.append(whole)
    answer_calls(messages)
    assert knows_the_weather("".join(chunk.text for chunk in bound.stream(messages)))


def answer_calls(messages: list) -> None:
    assert [call["name"] for call in messages[-1].tool_calls] == ["get_weather"] * 2
    messages += [weather.invoke(call) for call in messages[-1].tool_calls]


def structured_output(model: str) -> None:
    assert chat_model(model).with_structured_output(Drawing).invoke(DRAW) == DRAWING


def structured_output_streamed(model: str) -> None:
    *_, last = chat_model(model).with_structured_output(Drawing).stream(DRAW)
    assert last == DRAWING


def structured_output_by_tool(model: str) -> None:
    structured = chat_model(model).with_structured_output(Drawing, method="function_calling", strict=True)
    assert structured.invoke(DRAW_BY_TOOL) == DRAWING


def structured_output_by_json_mode(model: str) -> None:
    structured = chat_model(model).with_structured_output(Drawing, method="json_mode")
    assert structured.invoke(DRAW) == DRAWING


def sampling(model: str) -> None:
    settings = {"temperature": 0.7, "top_p": 0.9, "frequency_penalty": 0, "presence_penalty": 0, "n": 1, "stop": ["X"]}
    assert chat_model(model, **settings).invoke("Hello").text


def media(model: str) -> None:
    image = {"type": "image", "base64": base64.b64encode(PNG).decode(), "mime_type": "image/png"}
    link = {"type": "image_url", "image_url": {"url": "https://example.com/picture.png"}}
    pdf = {
        "type": "file",
        "base64": base64.b64encode(PDF).decode(),
        "mime_type": "application/pdf",
        "filename": "a.pdf",
    }
    said = chat_model(model).invoke([HumanMessage([{"type": "text", "text": "Look."}, image, link, pdf])]).text
    assert [said.count("(image)"), said.count("(document)")] == [2, 1]


def image_from_a_tool(model: str) -> None:
    """The result of a call is a picture."""
    messages = [HumanMessage(ASK_WEATHER)]
    bound = chat_model(model).bind_tools([get_weather])
    messages.append(bound.invoke(messages))
    content = [{"type": "image_url", "image_url": {"url": data_url("image/png", PNG)}}]
    messages += [ToolMessage(content, tool_call_id=call["id"]) for call in messages[-1].tool_calls]
    assert "get_weather -> (image)" in bound.invoke(messages).text


def refusal_and_cut(model: str) -> None:
    assert chat_model(model).invoke(REFUSED).response_metadata["finish_reason"] == "content_filter"
    assert chat_model(model).invoke(CUT).response_metadata["finish_reason"] == "length"
    with raises(openai.ContentFilterFinishReasonError):
        chat_model(model).with_structured_output(Drawing).invoke(REFUSED)


def context_overflow(model: str) -> None:
    with raises(ContextOverflowError):
        chat_model(model).invoke("/simulate status 400 message='prompt is too long: 210000 tokens > 200000 maximum'")


def unknown_model(model: str) -> None:
    with raises(openai.NotFoundError) as caught:
        chat_model(NOBODY).invoke("Hello")
    assert caught.error.code == "model_not_found"


run(
    chat,
    stream_with_usage,
    several_at_once,
    tool_round_trip,
    tool_round_trip_streamed,
    structured_output,
    structured_output_streamed,
    structured_output_by_tool,
    structured_output_by_json_mode,
    sampling,
    media,
    image_from_a_tool,
    refusal_and_cut,
    context_overflow,
    unknown_model,
)
