"""LiteLLM as a client, as aider and others have it inside."""

import json
import os

os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"  # else it fetches its price list while it is imported

import litellm
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

litellm.suppress_debug_info = True
TOOLS = [
    {
        "type": "function",
        "function": {
            "name": "get_weather",
            "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
        },
    }
]


def ask(model: str, *messages: object, **settings: object):
    return litellm.completion(
        f"openai/{model}", list(messages), api_base=BASE_URL, api_key=API_KEY, num_retries=0, max_retries=0, **settings
    )


def user(text: str) -> dict[str, str]:
    return {"role": "user", "content": text}


def chat(model: str) -> None:
    response = ask(model, user("Hello"), temperature=0)
    assert "Hello" in response.choices[0].message.content
    assert response.choices[0].finish_reason == "stop"
    assert response.usage.total_tokens > 0


def stream_with_usage(model: str) -> None:
    asked = user("Hello\n/simulate text One two three.")
    chunks = list(ask(model, asked, stream=True, stream_options={"include_usage": True}))
    whole = litellm.stream_chunk_builder(chunks, messages=[asked])
    assert whole.choices[0].message.content == "One two three."
    assert whole.usage.completion_tokens == ask(model, asked).usage.completion_tokens > 0


def reasoning(model: str) -> None:
    settings = {"reasoning_effort": "low", "allowed_openai_params": ["reasoning_effort"]}
    plain = ask(model, user("Hello"), **settings)
    streamed = litellm.stream_chunk_builder(list(ask(model, user("Hello"), stream=True, **settings)))
    assert plain.choices[0].message.reasoning_content == streamed.choices[0].message.reasoning_content != ""


def tool_round_trip(model: str) -> None:
    message = ask(model, user(ASK_WEATHER), tools=TOOLS).choices[0].message
    assert knows_the_weather(ask(model, *answered(message), tools=TOOLS).choices[0].message.content)


def tool_round_trip_streamed(model: str) -> None:
    chunks = list(ask(model, user(ASK_WEATHER), tools=TOOLS, stream=True))
    message = litellm.stream_chunk_builder(chunks).choices[0].message
    assert knows_the_weather(ask(model, *answered(message), tools=TOOLS).choices[0].message.content)


def answered(message) -> list:
    assert [call.function.name for call in message.tool_calls] == ["get_weather"] * 2
    results = [
        {"role": "tool", "tool_call_id": call.id, "content": get_weather(**json.loads(call.function.arguments))}
        for call in message.tool_calls
    ]
    return [user(ASK_WEATHER), message.model_dump(), *results]


def calls_without_tools(model: str) -> None:
    """A summary at the end: the history has calls, the request no tools."""
    message = ask(model, user(ASK_WEATHER), tools=TOOLS).choices[0].message
    assert ask(model, *answered(message), user("Sum it up.")).choices[0].message.content


def structured_output(model: str) -> None:
    content = ask(model, user(DRAW), response_format=Drawing).choices[0].message.content
    assert Drawing.model_validate_json(content) == DRAWING


def structured_output_by_json_mode(model: str) -> None:
    content = ask(model, user(DRAW), response_format={"type": "json_object"}).choices[0].message.content
    assert Drawing.model_validate_json(content) == DRAWING


def structured_output_by_tool(model: str) -> None:
    function = {"name": "draw", "parameters": Drawing.model_json_schema()}
    choice = {"type": "function", "function": {"name": "draw"}}
    response = ask(model, user(DRAW_BY_TOOL), tools=[{"type": "function", "function": function}], tool_choice=choice)
    arguments = response.choices[0].message.tool_calls[0].function.arguments
    assert Drawing.model_validate_json(arguments) == DRAWING


def media(model: str) -> None:
    image = {"type": "image_url", "image_url": {"url": data_url("image/png", PNG), "detail": "low"}}
    pdf = {"type": "file", "file": {"file_data": data_url("application/pdf", PDF), "filename": "a.pdf"}}
    asked = {"role": "user", "content": [{"type": "text", "text": "Look."}, image, pdf]}
    said = ask(model, asked).choices[0].message.content
    assert [said.count("(image)"), said.count("(document)")] == [1, 1]


def refusal_and_cut(model: str) -> None:
    assert ask(model, user(REFUSED)).choices[0].finish_reason == "content_filter"
    assert ask(model, user(CUT)).choices[0].finish_reason == "length"


def errors(model: str) -> None:
    with raises(litellm.NotFoundError) as caught:
        ask(NOBODY, user("Hello"))
    assert NOBODY in str(caught.error)
    with raises(litellm.RateLimitError):
        ask(model, user("Hello\n/simulate status 429"))
    with raises(litellm.ContextWindowExceededError):
        ask(model, user("Hello\n/simulate status 400 message='prompt is too long: 210000 tokens > 200000 maximum'"))


run(
    chat,
    stream_with_usage,
    reasoning,
    tool_round_trip,
    tool_round_trip_streamed,
    calls_without_tools,
    structured_output,
    structured_output_by_json_mode,
    structured_output_by_tool,
    media,
    refusal_and_cut,
    errors,
)
