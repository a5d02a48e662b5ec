"""Counting and compacting the input of a request, through the real SDK and the whole daemon."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import openai
import pytest
from openai import AsyncOpenAI

from tests.server.conftest import Serve
from tests.support.daemon import Daemon
from tests.support.judge import unknown_keys
from tests.support.openai_client import MODEL, storing_daemon, texts_sent
from tests.support.raw import Connection, answer

TOOL: Any = {"type": "function", "name": "look", "parameters": {"type": "object", "properties": {}}}
TALK: Any = [
    {"role": "user", "content": "My name is Ada."},
    {"role": "assistant", "content": "Hello Ada."},
    {"type": "function_call", "call_id": "c", "name": "look", "arguments": "{}"},
    {"type": "function_call_output", "call_id": "c", "output": "a cat"},
    {"role": "user", "content": "/simulate text The user is called Ada."},
]
SUMMARY = "Summary of the conversation so far:\n\nThe user is called Ada."
TRIGGER: Any = {"type": "compaction_trigger"}


@pytest.fixture
async def both(tmp_path: Path) -> AsyncIterator[tuple[Daemon, AsyncOpenAI]]:
    async with storing_daemon(tmp_path) as both:
        yield both


@pytest.fixture
def client(both: tuple[Daemon, AsyncOpenAI]) -> Any:
    return both[1]


@pytest.fixture
def proxy(both: tuple[Daemon, AsyncOpenAI]) -> Daemon:
    return both[0]


# ------------------------------------------------------------------------------------------------------- counting


async def test_the_input_of_a_request_is_counted_with_its_history(client: Any, proxy: Daemon):
    first = await client.responses.create(model=MODEL, input="/simulate text Hello")
    count = await client.responses.input_tokens.count(model=MODEL, input="Hi")
    assert (count.object, count.input_tokens > 0) == ("response.input_tokens", True)
    longer = await client.responses.input_tokens.count(
        model=MODEL,
        input="Hi",
        previous_response_id=first.id,
        instructions="Be brief.",
        tools=[TOOL],
        tool_choice="auto",
        reasoning={"effort": "low"},
        text={"format": {"type": "json_schema", "name": "x", "schema": {"type": "object"}}},
        parallel_tool_calls=False,
        truncation="disabled",
    )
    assert longer.input_tokens > count.input_tokens
    assert len(proxy.bodies) == 1


async def test_what_the_counter_refuses_is_left_out(client: Any):
    body = {"model": MODEL, "input": "Hi", "max_output_tokens": 5, "stream": True, "user": "me", "temperature": 0.5}
    count: Any = await client.post("/responses/input_tokens", body=body, cast_to=object)
    assert count["input_tokens"] > 0


async def test_bad_input_is_refused_as_in_a_request(client: Any):
    with pytest.raises(openai.BadRequestError) as raised:
        await client.responses.input_tokens.count(model=MODEL, input=[{"role": "critic", "content": "x"}])
    assert raised.value.param == "input[0].role"
    with pytest.raises(openai.BadRequestError) as raised:
        await client.responses.input_tokens.count(input="Hi")
    assert raised.value.param == "model"
    with pytest.raises(openai.BadRequestError) as raised:
        await client.responses.input_tokens.count(model=MODEL, input="Hi", previous_response_id="resp_nowhere")
    assert raised.value.code == "previous_response_not_found"


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        ("400 Bad Request", b'{"type":"error","error":{"type":"invalid_request_error","message":"no"}}', 400),
        ("200 OK", b'{"input_tokens":"many"}', 502),
    ],
)
async def test_what_upstream_says_instead_is_an_error(serve: Serve, status: str, body: bytes, expected: int):
    async def play(peer: Connection) -> None:
        while True:
            await peer.request()
            await peer.send(answer(body, status, b"content-type: application/json"))

    async with serve(play) as served:
        reply = await served.client.post(
            "/openai/v1/responses/input_tokens", json={"model": "claude-sonnet-5", "input": "Hi"}
        )
        assert reply.status == expected


# ------------------------------------------------------------------------------------------------------ compacting


async def test_a_compaction_stands_for_what_came_before(client: Any, proxy: Daemon):
    compacted = await client.responses.compact(model=MODEL, input=TALK)
    assert not unknown_keys(compacted)
    assert compacted.object == "response.compaction"
    assert compacted.usage.output_tokens > 0
    assert [item.type for item in compacted.output] == ["compaction"]
    assert texts_sent(proxy)[-1][1].startswith("(tool_result) /simulate text")
    assert "Summarise the conversation" in texts_sent(proxy)[-1][1]
    input_: Any = [item.to_dict() for item in compacted.output] + [{"role": "user", "content": "Who am I?"}]
    await client.responses.create(model=MODEL, input=input_)
    assert texts_sent(proxy) == [("user", f"{SUMMARY} Who am I?")]


async def test_a_stored_conversation_can_be_compacted(client: Any):
    first = await client.responses.create(model=MODEL, input="/simulate text Hello")
    compacted = await client.responses.compact(model=MODEL, previous_response_id=first.id)
    assert compacted.output[0].type == "compaction"


@pytest.mark.parametrize("stream", [False, True])
async def test_a_trigger_makes_the_answer_a_compaction(client: Any, proxy: Daemon, stream: bool):
    asking: dict[str, Any] = {"model": MODEL, "input": [*TALK, TRIGGER], "tools": [TOOL]}
    if stream:
        events = [event async for event in await client.responses.create(stream=True, **asking)]
        assert [event.type for event in events] == [
            "response.created",
            "response.in_progress",
            "response.output_item.added",
            "response.compaction.compacting",
            "response.output_item.done",
            "response.completed",
        ]
        response = events[-1].response
    else:
        response = await client.responses.create(**asking)
    assert [item.type for item in response.output] == ["compaction"]
    assert proxy.bodies[-1]["tool_choice"] == {"type": "none"}
    await client.responses.create(model=MODEL, input="Who am I?", previous_response_id=response.id)
    assert texts_sent(proxy) == [("user", f"{SUMMARY} Who am I?")]
    kept = await client.responses.input_items.list(response.id)
    assert len(kept.data) == len(TALK)


async def test_a_summary_that_was_cut_is_none(client: Any):
    cut = [{"role": "user", "content": "/simulate text Half a\n/simulate stop max_tokens"}]
    with pytest.raises(openai.BadRequestError) as raised:
        await client.responses.compact(model=MODEL, input=cut)
    assert raised.value.code == "context_length_exceeded"
    response = await client.responses.create(model=MODEL, input=[*cut, TRIGGER])
    assert (response.status, response.output) == ("incomplete", [])


async def test_a_refused_summary_is_a_refusal(client: Any):
    response = await client.responses.create(
        model=MODEL, input=[{"role": "user", "content": "/simulate refusal No."}, TRIGGER]
    )
    assert response.output[0].content[0].refusal == "No."


async def test_without_input_there_is_nothing_to_compact(client: Any):
    with pytest.raises(openai.BadRequestError) as raised:
        await client.responses.compact(model=MODEL)
    assert raised.value.param == "input"
