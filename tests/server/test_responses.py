"""Responses with state, through the real SDK and the whole daemon."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import openai
import pytest
from openai import AsyncOpenAI

from claude_proxy.wire.responses_request import ResponsesRequest
from tests.support.daemon import Daemon, daemon
from tests.support.judge import unknown_keys
from tests.support.openai_client import MODEL, storing_daemon, strict_client, text_of, texts_sent

THINKS = {"reasoning": {"effort": "low"}, "model": "claude-opus-4-8"}


@pytest.fixture
async def both(tmp_path: Path) -> AsyncIterator[tuple[Daemon, AsyncOpenAI]]:
    async with storing_daemon(tmp_path) as both:
        yield both


@pytest.fixture
def client(both: tuple[Daemon, AsyncOpenAI]) -> AsyncOpenAI:
    return both[1]


@pytest.fixture
def proxy(both: tuple[Daemon, AsyncOpenAI]) -> Daemon:
    return both[0]


async def said(client: Any, text: str, **fields: Any) -> Any:
    return await client.responses.create(**{"model": MODEL, "input": f"/simulate text {text}", **fields})


# ---------------------------------------------------------------------------------------------------- what is kept


async def test_a_response_can_be_read_again_and_deleted(client: Any):
    response = await said(client, "Hello", metadata={"a": "b"})
    again = await client.responses.retrieve(response.id)
    assert again.to_dict() == response.to_dict()
    assert set(unknown_keys(again)) <= {"$.store"}  # the SDK has no type for it
    await client.responses.delete(response.id)
    with pytest.raises(openai.NotFoundError, match=response.id):
        await client.responses.retrieve(response.id)


async def test_a_streamed_response_is_kept_before_its_last_event_arrives(client: Any):
    stream = await client.responses.create(model=MODEL, input="/simulate text Hello", stream=True)
    async for event in stream:
        if event.type == "response.completed":
            again = await client.responses.retrieve(event.response.id)
            assert again.output_text == "Hello"
            break
    await stream.close()


async def test_an_incomplete_response_is_kept(client: Any):
    response = await said(client, "Hello\n/simulate stop max_tokens")
    assert response.status == "incomplete"
    assert (await client.responses.retrieve(response.id)).status == "incomplete"


async def test_a_response_that_failed_is_kept_as_failed(client: Any):
    stream = await client.responses.create(model=MODEL, input="/simulate text Hel\n/simulate cut", stream=True)
    id_ = (await anext(stream)).response.id
    with pytest.raises(openai.APIError):
        [event async for event in stream]
    async with aiohttp.ClientSession() as http, http.get(f"{client.base_url}responses/{id_}") as reply:
        stored = await reply.json()
    assert (stored["status"], stored["output"]) == ("failed", [])


async def test_nothing_is_kept_for_store_false(client: Any):
    response = await said(client, "Hello", store=False)
    assert response.store is False
    with pytest.raises(openai.NotFoundError):
        await client.responses.retrieve(response.id)


async def test_without_a_store_nothing_is_kept_and_the_response_says_so():
    async with daemon() as running, strict_client(running) as client:
        response = await said(client, "Hello")
        assert response.store is False
        with pytest.raises(openai.NotFoundError):
            await client.responses.retrieve(response.id)
        with pytest.raises(openai.BadRequestError, match="not found") as raised:
            await said(client, "x", previous_response_id=response.id)
    assert raised.value.code == "previous_response_not_found"


async def test_signed_thinking_is_kept_and_shown_only_where_it_is_asked_for(client: Any):
    response = await said(client, "Hello", **THINKS)
    assert response.output[0].type == "reasoning"
    plain = await client.responses.retrieve(response.id)
    assert plain.output[0].encrypted_content is None
    full = await client.responses.retrieve(response.id, include=["reasoning.encrypted_content"])
    assert full.output[0].encrypted_content


# ------------------------------------------------------------------------------------------------ continuing


async def test_a_response_continues_another_without_its_instructions(client: Any, proxy: Daemon):
    first = await said(client, "One", instructions="Be brief.")
    second = await said(client, "Two", previous_response_id=first.id)
    third = await client.responses.create(model=MODEL, input="And?", previous_response_id=second.id)
    assert third.previous_response_id == second.id
    assert texts_sent(proxy) == [
        ("user", "/simulate text One"),
        ("assistant", "One"),
        ("user", "/simulate text Two"),
        ("assistant", "Two"),
        ("user", "And?"),
    ]
    assert "system" not in proxy.bodies[-1]


async def test_signed_thinking_goes_back_with_the_chain(client: Any, proxy: Daemon):
    tools: Any = [{"type": "function", "name": "look", "parameters": {"type": "object", "properties": {}}}]
    first = await client.responses.create(input="/simulate thinking hm\n/simulate tool look {}", tools=tools, **THINKS)
    call = first.output[-1]
    output: Any = [{"type": "function_call_output", "call_id": call.call_id, "output": "a cat"}]
    await client.responses.create(previous_response_id=first.id, input=output, tools=tools, **THINKS)
    assert [block["type"] for block in proxy.bodies[-1]["messages"][1]["content"]] == ["thinking", "tool_use"]


async def test_an_unknown_previous_response_is_a_400(client: Any):
    with pytest.raises(openai.BadRequestError) as raised:
        await said(client, "x", previous_response_id="resp_nowhere")
    assert raised.value.code == "previous_response_not_found"
    assert raised.value.param == "previous_response_id"
    assert "Previous response with id 'resp_nowhere' not found." in raised.value.message


@pytest.mark.parametrize("type_", [{"type": "item_reference"}, {}])
async def test_references_to_items_are_resolved(client: Any, proxy: Daemon, type_: dict[str, str]):
    first = await said(client, "One")
    item: Any = [
        {**type_, "id": first.output[0].id},
        {"role": "user", "content": "What did you say?"},
    ]
    await client.responses.create(model=MODEL, input=item)
    assert texts_sent(proxy)[-2:] == [("assistant", "One"), ("user", "What did you say?")]


async def test_a_reference_to_nothing_names_its_place(client: Any):
    item: Any = [{"role": "user", "content": "x"}, {"type": "item_reference", "id": "msg_nowhere"}]
    with pytest.raises(openai.BadRequestError, match="Item with id 'msg_nowhere' not found") as raised:
        await client.responses.create(model=MODEL, input=item)
    assert raised.value.param == "input[1]"


# ------------------------------------------------------------------------------------------------ input items


async def test_input_items_are_listed_in_pages(client: Any):
    items: Any = [{"role": "user", "content": f"text {number}"} for number in range(5)]
    items += [
        {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "c", "output": "done"},
        {"role": "assistant", "content": "Yes"},
        {"role": "user", "content": [{"type": "input_text", "text": "/simulate text ok"}]},
    ]
    response = await client.responses.create(model=MODEL, input=items)
    page = await client.responses.input_items.list(response.id, limit=4, order="asc")
    assert not [key for item in page.data for key in unknown_keys(item)]
    assert [text_of(item.to_dict()["content"]) for item in page.data] == [f"text {number}" for number in range(4)]
    everything = [item async for item in client.responses.input_items.list(response.id, limit=4)]
    assert [item.type for item in everything[:4]] == [
        "message",
        "message",
        "function_call_output",
        "function_call",
    ]
    assert len({item.id for item in everything}) == len(items)


# -------------------------------------------------------------------------------------------------- bad requests

PATHS = ["responses/nowhere", "responses/nowhere/input_items"]


@pytest.mark.parametrize("path", PATHS)
async def test_an_unknown_id_is_a_404(client: Any, path: str):
    with pytest.raises(openai.NotFoundError, match="Response with id 'nowhere' not found"):
        await client.get(f"/{path}", cast_to=object)


@pytest.mark.parametrize(
    ("query", "param"),
    [
        ("limit=0", "limit"),
        ("limit=101", "limit"),
        ("limit=many", "limit"),
        ("limit=-1", "limit"),
        ("order=up", "order"),
        ("after=nowhere", "after"),
        ("before=nowhere", "before"),
        ("include[]=everything", "include"),
    ],
)
async def test_a_bad_query_names_the_parameter(client: Any, query: str, param: str):
    response = await said(client, "Hello")
    url = f"{client.base_url}responses/{response.id}/input_items?{query}"
    async with aiohttp.ClientSession() as http, http.get(url) as reply:
        assert reply.status == 400
        assert (await reply.json())["error"]["param"] == param


@pytest.mark.parametrize("id_", ["%00", "%ff", "a" * 5000, "'; drop table responses; --", "..%2f"])
async def test_a_strange_id_is_never_a_server_error(client: Any, id_: str):
    async with aiohttp.ClientSession() as http, http.get(f"{client.base_url}responses/{id_}") as reply:
        assert 400 <= reply.status < 500


WRONG: list[object] = [5, -1, 1.5, "x", True, [], [5], {}, {"a": 5}, [{"a": 5}], "x" * 10_000, None]


@pytest.mark.parametrize(
    "field", sorted({*ResponsesRequest.__struct_fields__} - {"anthropic"})
)  # that is sent as it is
async def test_a_wrong_value_in_any_field_is_never_a_server_error(client: Any, field: str):
    url = f"{client.base_url}responses"
    async with aiohttp.ClientSession() as http:
        for value in WRONG:
            body = {"model": MODEL, "input": "/simulate text Hello", field: value}
            async with http.post(url, json=body) as reply:
                assert reply.status < 500, value
                if reply.status == 400 and isinstance(value, int | list | dict):
                    param = (await reply.json())["error"]["param"]
                    assert param is not None, value
                    assert param.startswith(field), value
                await reply.read()


# ------------------------------------------------------------------------------------------------ a broken store


async def test_a_store_that_cannot_be_written_is_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    (tmp_path / "data").write_text("a file where the directory should be")
    async with storing_daemon(tmp_path) as (_, client):
        raw = await client.responses.with_raw_response.create(model=MODEL, input="/simulate text Hello")
        stream = await client.responses.create(model=MODEL, input="/simulate text Hello", stream=True)
        events = [event.type async for event in stream]
    assert raw.parse().output_text == "Hello"
    assert raw.headers["x-claude-proxy-warnings"] == "store"
    assert events[-1] == "response.completed"
    assert "was not stored" in caplog.text
