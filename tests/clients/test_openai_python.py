"""The unmodified OpenAI SDK for Python against the daemon."""

import asyncio
import base64
from collections.abc import AsyncIterator
from typing import Any

import openai
import pytest
from openai import AsyncOpenAI, OpenAI
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from tests.clients.conftest import MODEL
from tests.support.daemon import Daemon

ADD: Any = {
    "type": "function",
    "function": {
        "name": "add",
        "parameters": {"type": "object", "properties": {"a": {"type": "number"}, "b": {"type": "number"}}},
    },
}
CALLS = '/simulate text Let me see.\n/simulate tool add {"a": 1, "b": 2}\n/simulate tool add {"a": 3, "b": 4}'


def user(text: str) -> Any:
    return [{"role": "user", "content": text}]


def calls_of(completion: ChatCompletion) -> list[Any]:
    return list(completion.choices[0].message.tool_calls or [])


async def test_a_chat(client: AsyncOpenAI):
    completion = await client.chat.completions.create(model=MODEL, messages=user("/simulate text Hello, world"))
    assert completion.object == "chat.completion"
    assert completion.model == MODEL
    assert completion.choices[0].message.role == "assistant"
    assert completion.choices[0].message.content == "Hello, world"
    assert completion.choices[0].finish_reason == "stop"
    assert completion.usage
    assert completion.usage.total_tokens == completion.usage.prompt_tokens + completion.usage.completion_tokens


async def test_a_chat_of_the_synchronous_client(sync_client: OpenAI):
    completion = await asyncio.to_thread(
        sync_client.chat.completions.create, model=MODEL, messages=user("/simulate text Hello")
    )
    assert completion.choices[0].message.content == "Hello"


async def test_a_stream_of_the_synchronous_client(sync_client: OpenAI):
    def ask() -> str:
        messages = user("/simulate text Hello, world")
        stream = sync_client.chat.completions.create(model=MODEL, messages=messages, stream=True)
        return "".join(chunk.choices[0].delta.content or "" for chunk in stream)

    assert await asyncio.to_thread(ask) == "Hello, world"


async def test_a_stream_opens_with_the_role_and_ends_with_one_reason(client: AsyncOpenAI):
    stream = await client.chat.completions.create(model=MODEL, messages=user("/simulate words 30"), stream=True)
    chunks = [chunk async for chunk in stream]
    assert chunks[0].choices[0].delta.role == "assistant"
    assert [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices[0].finish_reason] == ["stop"]
    assert chunks[-1].choices[0].finish_reason == "stop"
    assert len({(chunk.id, chunk.created, chunk.model) for chunk in chunks}) == 1
    assert all(chunk.usage is None for chunk in chunks)


async def test_usage_comes_last_in_a_stream_that_asks_for_it(client: AsyncOpenAI):
    stream = await client.chat.completions.create(
        model=MODEL, messages=user("hi"), stream=True, stream_options={"include_usage": True}
    )
    *chunks, last = [chunk async for chunk in stream]
    assert last.choices == []
    assert last.usage
    assert last.usage.prompt_tokens > 0
    assert last.usage.completion_tokens > 0
    assert all(chunk.usage is None for chunk in chunks)


async def test_the_stream_helper_gathers_the_same_completion(client: AsyncOpenAI):
    async with client.chat.completions.stream(model=MODEL, messages=user(CALLS), tools=[ADD]) as stream:
        kinds = {event.type async for event in stream}
        final = await stream.get_final_completion()
    assert {"chunk", "content.delta", "tool_calls.function.arguments.delta"} <= kinds
    assert final.choices[0].message.content == "Let me see."
    calls = [call.function.arguments.replace(" ", "") for call in calls_of(final)]
    assert calls == ['{"a":1,"b":2}', '{"a":3,"b":4}']


async def test_parallel_tool_calls_and_their_results_make_a_round_trip(client: AsyncOpenAI, daemon: Daemon):
    messages = user(f"{CALLS}\n/simulate next\n/simulate text 3 and 7")
    first = await client.chat.completions.create(model=MODEL, messages=messages, tools=[ADD])
    assert first.choices[0].finish_reason == "tool_calls"
    answer = first.choices[0].message
    assert answer.content == "Let me see."
    calls = answer.tool_calls or []
    assert len({call.id for call in calls}) == 2

    messages.append(answer.model_dump(exclude_none=True))
    for call, result in zip(calls, ["3", "7"], strict=True):
        messages.append({"role": "tool", "tool_call_id": call.id, "content": result})
    second = await client.chat.completions.create(model=MODEL, messages=messages, tools=[ADD])
    assert second.choices[0].message.content == "3 and 7"
    assert [block["type"] for block in daemon.bodies[-1]["messages"][-1]["content"]][:2] == ["tool_result"] * 2


async def test_a_call_without_arguments_has_an_empty_object(client: AsyncOpenAI):
    tool: Any = {"type": "function", "function": {"name": "now"}}
    messages = user("/simulate tool now {}")
    completion = await client.chat.completions.create(model=MODEL, messages=messages, tools=[tool])
    assert [call.function.arguments for call in calls_of(completion)] == ["{}"]
    async with client.chat.completions.stream(model=MODEL, messages=messages, tools=[tool]) as stream:
        final = await stream.get_final_completion()
    assert [call.function.arguments for call in calls_of(final)] == ["{}"]


async def test_a_forced_tool_is_called(client: AsyncOpenAI, daemon: Daemon):
    completion = await client.chat.completions.create(
        model=MODEL, messages=user("hi"), tools=[ADD], tool_choice="required", parallel_tool_calls=False
    )
    assert completion.choices[0].finish_reason == "tool_calls"
    assert daemon.bodies[-1]["tool_choice"] == {"type": "any", "disable_parallel_tool_use": True}


PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)


@pytest.mark.parametrize(
    ("url", "source"),
    [
        ("https://example.org/cat.png", {"type": "url", "url": "https://example.org/cat.png"}),
        (
            f"data:image/jpeg;base64,{base64.b64encode(PNG).decode()}",  # mislabelled, as happens
            {"type": "base64", "media_type": "image/png", "data": base64.b64encode(PNG).decode()},
        ),
    ],
    ids=["url", "data"],
)
async def test_images_go_up(client: AsyncOpenAI, daemon: Daemon, url: str, source: dict[str, str]):
    content: Any = [{"type": "text", "text": "What is it?"}, {"type": "image_url", "image_url": {"url": url}}]
    completion = await client.chat.completions.create(model=MODEL, messages=[{"role": "user", "content": content}])
    assert completion.choices[0].message.content
    image = next(block for block in daemon.bodies[-1]["messages"][0]["content"] if block["type"] == "image")
    assert image["source"] == source


async def test_instructions_of_both_names_become_the_system_prompt(client: AsyncOpenAI, daemon: Daemon):
    messages: Any = [{"role": "system", "content": "Be brief."}, {"role": "developer", "content": "Be kind."}]
    await client.chat.completions.create(model=MODEL, messages=messages + user("hi"))
    system = "\n".join(block["text"] for block in daemon.bodies[-1]["system"])
    assert "Be brief." in system
    assert "Be kind." in system


async def test_sampling_stops_and_limits_go_up(client: AsyncOpenAI, daemon: Daemon):
    await client.chat.completions.create(
        model=MODEL, messages=user("hi"), temperature=1.7, stop=["END", " "], max_completion_tokens=77, user="u"
    )
    body = daemon.bodies[-1]
    assert body["max_tokens"] == 77
    assert body["stop_sequences"] == ["END"]
    assert body.get("temperature", 1) == 1


async def test_a_stop_sequence_ends_the_answer(client: AsyncOpenAI):
    completion = await client.chat.completions.create(
        model=MODEL, messages=user("/simulate text one two END three"), stop="END"
    )
    assert completion.choices[0].finish_reason == "stop"
    assert (completion.choices[0].message.content or "").strip() == "one two"


async def test_an_answer_that_is_cut_says_length(client: AsyncOpenAI):
    completion = await client.chat.completions.create(model=MODEL, messages=user("/simulate words 50"), max_tokens=5)
    assert completion.choices[0].finish_reason == "length"


async def test_parameters_without_effect_are_named(client: AsyncOpenAI):
    raw = await client.chat.completions.with_raw_response.create(
        model=MODEL, messages=user("hi"), presence_penalty=0.5, seed=7
    )
    warnings = raw.headers["x-claude-proxy-warnings"]
    assert "presence_penalty" in warnings
    assert "seed" in warnings


async def test_every_answer_carries_openais_headers(client: AsyncOpenAI):
    raw = await client.chat.completions.with_raw_response.create(model=MODEL, messages=user("hi"))
    assert raw.headers["openai-version"] == "2020-10-01"
    assert int(raw.headers["openai-processing-ms"]) >= 0
    assert raw.headers["x-request-id"]
    assert raw.headers["x-ratelimit-remaining-requests"]


async def test_thinking_comes_back_beside_the_content(client: AsyncOpenAI):
    messages = user("/simulate thinking Let me think.\n/simulate text Done.")
    completion = await client.chat.completions.create(model=MODEL, messages=messages, reasoning_effort="high")
    message: Any = completion.choices[0].message
    assert message.reasoning_content == "Let me think."
    assert message.content == "Done."


async def test_structured_output_is_parsed(client: AsyncOpenAI, daemon: Daemon):
    schema: Any = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}
    answered: Any = {"type": "json_schema", "json_schema": {"name": "x", "schema": schema, "strict": True}}
    completion = await client.chat.completions.create(
        model=MODEL, messages=user('/simulate text "{\\"a\\": 1}"'), response_format=answered
    )
    assert completion.choices[0].message.content == '{"a": 1}'
    assert daemon.bodies[-1]["output_config"]["format"]["type"] == "json_schema"


ERRORS = [
    (400, "", openai.BadRequestError, None),
    (401, "", openai.AuthenticationError, "invalid_api_key"),
    (403, "", openai.PermissionDeniedError, "insufficient_quota"),
    (404, "", openai.NotFoundError, "not_found"),
    (413, "", openai.APIStatusError, "request_too_large"),
    (429, "retry-after=7", openai.RateLimitError, "rate_limit_exceeded"),
    (500, "", openai.InternalServerError, "internal_server_error"),
    (500, "html", openai.InternalServerError, "internal_server_error"),
    (529, "", openai.InternalServerError, "server_is_overloaded"),
    (503, "empty", openai.InternalServerError, "service_unavailable"),
]


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(("status", "more", "kind", "code"), ERRORS)
async def test_upstreams_errors_are_openais(
    client: AsyncOpenAI, status: int, more: str, kind: type[openai.APIStatusError], code: str | None, stream: bool
):
    with pytest.raises(kind) as caught:
        await client.chat.completions.create(
            model=MODEL, messages=user(f"/simulate status {status} {more}"), stream=stream
        )
    error = caught.value
    assert isinstance(error, openai.APIStatusError)
    assert error.status_code == (503 if status == 529 else status)
    assert error.code == code
    assert error.request_id
    assert error.body.keys() == {"message", "type", "param", "code"}  # type: ignore[attr-defined] # a dict
    if status == 429:
        assert error.response.headers["retry-after"] == "7"


async def test_an_unknown_model_is_named_as_openai_names_it(client: AsyncOpenAI):
    with pytest.raises(openai.NotFoundError) as caught:
        await client.chat.completions.create(model="gpt-4o", messages=user("hi"))
    assert caught.value.code == "model_not_found"
    assert caught.value.param == "model"


async def test_a_bad_request_names_its_place(client: AsyncOpenAI):
    messages: Any = [{"role": "user", "content": [{"type": "video", "url": "x"}]}]
    with pytest.raises(openai.BadRequestError) as caught:
        await client.chat.completions.create(model=MODEL, messages=messages)
    assert caught.value.param == "messages[0].content[0].type"


async def _collect(stream: AsyncIterator[ChatCompletionChunk], into: list[ChatCompletionChunk]) -> None:
    async for chunk in stream:
        into += [chunk]  # one by one: what came before an error stays


@pytest.mark.parametrize("script", ["/simulate error overloaded_error Too busy", "/simulate cut"])
async def test_what_breaks_within_a_stream_is_an_error_and_no_end(client: AsyncOpenAI, script: str):
    messages = user(f"/simulate text Half an\n{script}")
    stream = await client.chat.completions.create(model=MODEL, messages=messages, stream=True)
    got: list[ChatCompletionChunk] = []
    with pytest.raises(openai.APIError) as caught:
        await _collect(stream, got)
    assert "".join(chunk.choices[0].delta.content or "" for chunk in got) == "Half an"
    assert not [chunk for chunk in got if chunk.choices[0].finish_reason]
    assert caught.value.code in ("server_is_overloaded", "upstream_disconnected")


@pytest.mark.parametrize("script", ["/simulate error overloaded_error Too busy", "/simulate cut"])
async def test_what_breaks_within_a_folded_answer_is_a_status(client: AsyncOpenAI, script: str):
    with pytest.raises(openai.InternalServerError) as caught:
        await client.chat.completions.create(model=MODEL, messages=user(f"/simulate text Half an\n{script}"))
    assert caught.value.status_code in (502, 503)


async def test_the_sdks_own_retries_help_over_a_short_overload(daemon: Daemon):
    async with AsyncOpenAI(base_url=daemon.openai, api_key="k", max_retries=2) as client:
        completion = await client.chat.completions.create(
            model=MODEL, messages=user("/simulate status 529 times=1 retry-after-ms=1\n/simulate text Back again")
        )
    assert completion.choices[0].message.content == "Back again"


async def test_models_are_listed_and_found(client: AsyncOpenAI):
    models = [model async for model in client.models.list()]
    assert {(model.object, model.owned_by) for model in models} == {("model", "anthropic")}
    assert (await client.models.retrieve(models[0].id)).id == models[0].id
    assert (await client.models.retrieve(MODEL)).id == MODEL
    with pytest.raises(openai.NotFoundError) as caught:
        await client.models.retrieve("no-such-model")
    assert caught.value.code == "model_not_found"


async def test_the_name_of_a_line_is_a_model(client: AsyncOpenAI, daemon: Daemon):
    await client.chat.completions.create(model="haiku", messages=user("hi"))
    assert daemon.bodies[-1]["model"].startswith("claude-haiku-")


async def test_what_there_is_not_is_a_404_that_says_what_instead(client: AsyncOpenAI):
    with pytest.raises(openai.NotFoundError) as caught:
        await client.embeddings.create(model="text-embedding-3-small", input="hi")
    assert "embeddings" in caught.value.message.lower()
