"""OpenAI's own SDK: the helpers that read an answer for the user, beyond what a plain request shows."""

import importlib.util
import json

import openai
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
from pydantic import BaseModel

client = openai.OpenAI(base_url=BASE_URL, api_key=API_KEY, max_retries=0)


class GetWeather(BaseModel):
    """The weather in a city."""

    city: str


TOOLS = [openai.pydantic_function_tool(GetWeather, name="get_weather")]


def user(text: str) -> dict[str, str]:
    return {"role": "user", "content": text}


def chat(model: str) -> None:
    completion = client.chat.completions.create(model=model, messages=[user("Hello")])
    assert "Hello" in completion.choices[0].message.content
    assert completion.choices[0].finish_reason == "stop"
    assert completion.usage.total_tokens == completion.usage.prompt_tokens + completion.usage.completion_tokens > 0


def stream_with_usage(model: str) -> None:
    with client.chat.completions.stream(
        model=model, messages=[user("Hello\n/simulate text One two three.")], stream_options={"include_usage": True}
    ) as stream:
        said = [event.delta for event in stream if event.type == "content.delta"]
        final = stream.get_final_completion()
    assert len(said) > 1
    assert "".join(said) == final.choices[0].message.content == "One two three."
    assert final.usage.completion_tokens > 0


def reasoning(model: str) -> None:
    request = {"model": model, "messages": [user("Hello")], "reasoning_effort": "low"}
    assert client.chat.completions.create(**request).choices[0].message.reasoning_content
    deltas = [chunk.choices[0].delta for chunk in client.chat.completions.create(**request, stream=True)]
    assert "".join(getattr(delta, "reasoning_content", None) or "" for delta in deltas)


def parse(model: str) -> None:
    completion = client.chat.completions.parse(model=model, messages=[user(DRAW)], response_format=Drawing)
    assert completion.choices[0].message.parsed == DRAWING


def parse_what_the_schema_made(model: str) -> None:
    completion = client.chat.completions.parse(model=model, messages=[user("Draw.")], response_format=Drawing)
    assert isinstance(completion.choices[0].message.parsed, Drawing)


def parse_streamed(model: str) -> None:
    with client.chat.completions.stream(model=model, messages=[user(DRAW)], response_format=Drawing) as stream:
        partial = [event.parsed for event in stream if event.type == "content.delta"]
        final = stream.get_final_completion()
    assert len(partial) > 1
    assert final.choices[0].message.parsed == DRAWING


def parse_tool_calls(model: str) -> None:
    tools = [openai.pydantic_function_tool(Drawing)]
    request = {"model": model, "messages": [user(DRAW_BY_TOOL)], "tools": tools}
    completion = client.chat.completions.parse(**request)
    assert completion.choices[0].message.tool_calls[0].function.parsed_arguments == DRAWING
    with client.chat.completions.stream(**request) as stream:
        done = [event for event in stream if event.type == "tool_calls.function.arguments.done"]
    assert [event.parsed_arguments for event in done] == [DRAWING]


def parse_a_forced_call(model: str) -> None:
    tools = [openai.pydantic_function_tool(Drawing)]
    choice = {"type": "function", "function": {"name": "Drawing"}}
    request = {"model": model, "messages": [user(DRAW_BY_TOOL)], "tools": tools, "tool_choice": choice}
    completion = client.chat.completions.parse(**request)
    assert completion.choices[0].message.tool_calls[0].function.parsed_arguments == DRAWING


def tool_round_trip(model: str) -> None:
    messages = [user(ASK_WEATHER)]
    message = client.chat.completions.create(model=model, messages=messages, tools=TOOLS).choices[0].message
    answer_calls(messages, message)
    completion = client.chat.completions.create(model=model, messages=messages, tools=TOOLS)
    assert knows_the_weather(completion.choices[0].message.content)


def tool_round_trip_streamed(model: str) -> None:
    messages = [user(ASK_WEATHER)]
    with client.chat.completions.stream(model=model, messages=messages, tools=TOOLS) as stream:
        message = stream.get_final_completion().choices[0].message
    answer_calls(messages, message)
    with client.chat.completions.stream(model=model, messages=messages, tools=TOOLS) as stream:
        assert knows_the_weather(stream.get_final_completion().choices[0].message.content)


def answer_calls(messages: list, message) -> None:
    assert [call.function.name for call in message.tool_calls] == ["get_weather"] * 2
    messages.append(message)
    for call in message.tool_calls:
        content = get_weather(**json.loads(call.function.arguments))
        messages.append({"role": "tool", "tool_call_id": call.id, "content": content})


def parse_of_a_short_answer(model: str) -> None:
    with raises(openai.LengthFinishReasonError):
        client.chat.completions.parse(model=model, messages=[user(DRAW)], response_format=Drawing, max_tokens=5)


def parse_of_a_refusal(model: str) -> None:
    messages = [user("Draw.\n/simulate refusal Not this.")]
    with raises(openai.ContentFilterFinishReasonError):
        client.chat.completions.parse(model=model, messages=messages, response_format=Drawing)


def unknown_model(model: str) -> None:
    with raises(openai.NotFoundError) as caught:
        client.chat.completions.create(model=NOBODY, messages=[user("Hello")])
    assert caught.error.code == "model_not_found"
    assert NOBODY in caught.error.message
    assert caught.error.request_id


def broken_stream(model: str) -> None:
    messages = [user("Hello\n/simulate text One two three.\n/simulate error overloaded_error")]
    with raises(openai.APIError):
        for _ in client.chat.completions.create(model=model, messages=messages, stream=True):
            pass


def state(model: str) -> None:
    first = client.responses.create(model=model, input="Hello\n/simulate text Hello Ada.")
    assert first.output_text == "Hello Ada."
    second = client.responses.create(model=model, input="And?", previous_response_id=first.id)
    assert second.previous_response_id == first.id
    assert client.responses.retrieve(first.id).output_text == "Hello Ada."
    assert len(client.responses.input_items.list(second.id).data) == 1


def conversation(model: str) -> None:
    talk = client.conversations.create()
    client.responses.create(model=model, input="Hello", conversation=talk.id)
    items = client.conversations.items.list(talk.id, order="asc")
    assert [item.role for item in items if item.type == "message"] == ["user", "assistant"]
    client.conversations.delete(talk.id)


def in_the_background(model: str) -> None:
    stream = client.responses.create(model=model, input="Hello", background=True, stream=True)
    last = list(stream)[-1]
    assert last.type == "response.completed"
    assert client.responses.retrieve(last.response.id).status == "completed"


def websocket(model: str) -> None:
    if not hasattr(client.responses, "connect") or importlib.util.find_spec("websockets") is None:
        return  # an older SDK, or without its extra
    with client.responses.connect() as connection:
        connection.response.create(model=model, input="Hello\n/simulate text Hello Ada.", store=False)
        first = next(event.response for event in connection if event.type == "response.completed")
        connection.response.create(model=model, input="And?", store=False, previous_response_id=first.id)
        second = next(event.response for event in connection if event.type == "response.completed")
    assert first.output[-1].content[0].text == "Hello Ada."
    assert second.previous_response_id == first.id


run(
    chat,
    state,
    conversation,
    in_the_background,
    websocket,
    stream_with_usage,
    reasoning,
    parse,
    parse_what_the_schema_made,
    parse_streamed,
    parse_tool_calls,
    parse_a_forced_call,
    tool_round_trip,
    tool_round_trip_streamed,
    parse_of_a_short_answer,
    parse_of_a_refusal,
    unknown_model,
    broken_stream,
)
