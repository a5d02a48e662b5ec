"""The Conversations API through the real SDK and the whole daemon."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import openai
import pytest
from openai import AsyncOpenAI

from tests.support.daemon import Daemon, daemon
from tests.support.judge import unknown_keys
from tests.support.openai_client import MODEL, storing_daemon, strict_client, text_of, texts_sent

USER: Any = {"role": "user", "content": "Hi"}


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


async def texts(client: Any, id_: str) -> list[str]:
    return [text_of(item.to_dict()["content"]) async for item in client.conversations.items.list(id_, order="asc")]


async def test_a_conversation_is_made_read_changed_and_deleted(client: Any):
    made = await client.conversations.create(metadata={"topic": "cats"})
    assert made.id.startswith("conv_")
    assert not unknown_keys(made)
    assert (await client.conversations.retrieve(made.id)) == made
    changed = await client.conversations.update(made.id, metadata={"topic": "dogs"})
    assert changed.metadata == {"topic": "dogs"}
    assert (await client.conversations.update(made.id, metadata=None)).metadata == {}
    deleted = await client.conversations.delete(made.id)
    assert (deleted.id, deleted.deleted) == (made.id, True)
    with pytest.raises(openai.NotFoundError, match=f"Conversation with id '{made.id}' not found"):
        await client.conversations.retrieve(made.id)


async def test_its_items_are_added_listed_read_and_deleted(client: Any):
    made = await client.conversations.create(items=[USER])
    added = await client.conversations.items.create(
        made.id, items=[{"role": "assistant", "content": "Hello"}, {"role": "user", "content": "Bye"}]
    )
    assert [text_of(item.to_dict()["content"]) for item in added.data] == ["Hello", "Bye"]
    assert (added.first_id, added.last_id) == (added.data[0].id, added.data[1].id)
    assert await texts(client, made.id) == ["Hi", "Hello", "Bye"]
    item = await client.conversations.items.retrieve(added.first_id, conversation_id=made.id)
    assert item == added.data[0]
    assert (await client.conversations.items.delete(added.first_id, conversation_id=made.id)).id == made.id
    assert await texts(client, made.id) == ["Hi", "Bye"]
    with pytest.raises(openai.NotFoundError, match="not found in conversation"):
        await client.conversations.items.retrieve(added.first_id, conversation_id=made.id)
    with pytest.raises(openai.NotFoundError, match="not found in conversation"):
        await client.conversations.items.delete(added.first_id, conversation_id=made.id)


async def test_an_empty_list_of_items(client: Any):
    made = await client.conversations.create()
    page = await client.conversations.items.list(made.id)
    assert (page.data, page.has_more) == ([], False)


async def test_a_response_continues_a_conversation_and_adds_to_it(client: Any, proxy: Daemon):
    made = await client.conversations.create(items=[USER])
    first = await client.responses.create(model=MODEL, input="/simulate text One", conversation=made.id)
    assert first.conversation.id == made.id
    stream = await client.responses.create(
        model=MODEL, input="/simulate text Two", conversation={"id": made.id}, stream=True
    )
    assert [event async for event in stream][-1].type == "response.completed"
    assert await texts(client, made.id) == ["Hi", "/simulate text One", "One", "/simulate text Two", "Two"]
    assert texts_sent(proxy)[-1] == ("user", "/simulate text Two")
    assert len(texts_sent(proxy)) == 3


async def test_signed_thinking_is_kept_in_a_conversation(client: Any, proxy: Daemon):
    made = await client.conversations.create()
    asking: dict[str, Any] = {"model": "claude-opus-4-8", "reasoning": {"effort": "low"}, "conversation": made.id}
    await client.responses.create(input="/simulate thinking hm\n/simulate text One", **asking)
    await client.responses.create(input="And?", **asking)
    assert [block["type"] for block in proxy.bodies[-1]["messages"][1]["content"]] == ["thinking", "text"]
    items = [item async for item in client.conversations.items.list(made.id, order="asc")]
    assert items[1].type == "reasoning"
    assert items[1].encrypted_content is None


async def test_a_response_that_is_not_stored_is_added_all_the_same(client: Any):
    made = await client.conversations.create()
    await client.responses.create(model=MODEL, input="/simulate text One", conversation=made.id, store=False)
    assert await texts(client, made.id) == ["/simulate text One", "One"]


async def test_an_unknown_conversation_is_a_404(client: Any):
    calls = [
        client.responses.create(model=MODEL, input="x", conversation="conv_nowhere"),
        client.conversations.retrieve("conv_nowhere"),
        client.conversations.update("conv_nowhere", metadata={}),
        client.conversations.delete("conv_nowhere"),
        client.conversations.items.create("conv_nowhere", items=[USER]),
        client.conversations.items.list("conv_nowhere"),
        client.conversations.items.retrieve("msg_1", conversation_id="conv_nowhere"),
        client.conversations.items.delete("msg_1", conversation_id="conv_nowhere"),
    ]
    for call in calls:
        with pytest.raises(openai.NotFoundError, match="Conversation with id 'conv_nowhere' not found"):
            await call


async def test_a_conversation_and_a_previous_response_exclude_each_other(client: Any):
    made = await client.conversations.create()
    with pytest.raises(openai.BadRequestError, match="Mutually exclusive"):
        await client.responses.create(model=MODEL, input="x", conversation=made.id, previous_response_id="resp_1")


BAD: list[tuple[Any, str | None]] = [
    ([], None),
    ({"items": "x"}, "items"),
    ({"items": [5]}, "items[0]"),
    ({"items": [{"type": "nonsense"}]}, "items[0].type"),
    ({"items": [USER, {"role": "critic", "content": "x"}]}, "items[1].role"),
    ({"items": [{"role": "user", "content": [{"type": "input_text"}]}]}, "items[0].content[0].text"),
    ({"items": [{"type": "function_call", "name": "f"}]}, "items[0].call_id"),
    ({"items": [{"type": "item_reference", "id": "msg_nowhere"}]}, "items[0]"),
    ({"items": [USER] * 21}, "items"),
    ({"items": [{**USER, "id": "msg_1"}, {**USER, "id": "msg_1"}]}, "items"),
    ({"metadata": "x"}, "metadata"),
    ({"metadata": {"a": 1}}, "metadata[...]"),
    ({"metadata": {str(number): "" for number in range(17)}}, "metadata"),
    ({"metadata": {"a" * 65: "b"}}, "metadata"),
    ({"metadata": {"a": "b" * 513}}, "metadata.a"),
]


@pytest.mark.parametrize(("body", "param"), BAD, ids=[str(body)[:40] for body, _ in BAD])
async def test_bad_input_names_its_place(client: Any, body: Any, param: str | None):
    url = f"{client.base_url}conversations"
    async with aiohttp.ClientSession() as http, http.post(url, json=body) as reply:
        error = (await reply.json())["error"]
        assert (reply.status, error["param"]) == (400, param)


@pytest.mark.parametrize("data", [b"{", b'{"items":[{"role":"user","content":"\xff"}]}', b'{"metadata":' + b"[" * 9999])
async def test_what_is_no_json_is_a_400(client: Any, data: bytes):
    headers = {"content-type": "application/json"}
    for path in ("conversations", "conversations/x", "conversations/x/items"):
        url = f"{client.base_url}{path}"
        async with aiohttp.ClientSession() as http, http.post(url, data=data, headers=headers) as reply:
            assert reply.status == 400


async def test_without_a_store_there_are_no_conversations():
    async with daemon() as running, strict_client(running) as client:
        with pytest.raises(openai.NotFoundError, match="the setting `store` is off"):
            await client.conversations.create()
