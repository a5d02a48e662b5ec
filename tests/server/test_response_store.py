"""What happens around the store: interrupted runs, writes under way, and a store that is broken."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest
from msgspec import Raw

from claude_proxy.dialects.responses.dialect import RESPONSES, ResponseRequest
from claude_proxy.dialects.responses.response import FinishedResponse
from claude_proxy.errors import InvalidRequest, NotFound, StoreError
from claude_proxy.server.response_store import Memory, ResponseStore
from claude_proxy.store.conversations import Conversation
from claude_proxy.store.paging import Item, Paging
from claude_proxy.store.responses import StoredResponse
from claude_proxy.store.store import Store

FINISHED = FinishedResponse("resp_1", "completed", b'{"id":"resp_1","output":[]}', [])


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    store = Store(tmp_path / "store.sqlite3")
    yield store
    await store.close()


@pytest.fixture
async def responses(store: Store) -> AsyncIterator[ResponseStore]:
    responses = ResponseStore(store)
    yield responses
    await responses.close()


def ask(**fields: object) -> ResponseRequest:
    return RESPONSES.read(json.dumps({"model": "m", "input": "Hi", **fields}).encode())


async def test_runs_that_the_last_process_left_are_failed(store: Store, responses: ResponseStore):
    await store.responses.put(StoredResponse("resp_1", 1, "in_progress", b'{"id":"resp_1","output":[]}'))
    await responses.open()
    stored = await store.responses.get("resp_1")
    assert stored is not None
    assert stored.status == "failed"
    assert msgspec.json.decode(stored.body)["error"]["code"] == "server_error"


async def test_a_store_that_cannot_be_opened_is_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    (tmp_path / "file").write_text("")
    store = Store(tmp_path / "file" / "store.sqlite3")
    await ResponseStore(store).open()
    await store.close()
    assert "responses cannot be stored" in caplog.text


async def test_a_request_waits_for_the_response_that_it_continues(responses: ResponseStore):
    first = ask()
    continued = await responses.prepare(first, "1")
    responses.keep(continued, FINISHED)
    second = ask(previous_response_id="resp_1")
    await responses.prepare(second, "2")
    assert [msgspec.json.decode(item)["content"][0]["text"] for item in second.history.items] == ["Hi"]


async def test_a_response_that_has_not_ended_cannot_be_continued(store: Store, responses: ResponseStore):
    await store.responses.put(StoredResponse("resp_1", 1, "queued", b'{"id":"resp_1","output":[]}'))
    with pytest.raises(InvalidRequest, match="has not ended yet"):
        await responses.prepare(ask(previous_response_id="resp_1"), "2")


async def test_what_a_connection_remembers_needs_no_store():
    request = ask(previous_response_id="resp_1")
    await ResponseStore().prepare(request, "2", {"resp_1": Memory([Raw(b'{"role":"user","content":"before"}')])})
    assert len(request.history.items) == 1


async def test_without_a_store_a_conversation_is_not_found():
    with pytest.raises(NotFound, match="Conversation with id 'conv_1' not found"):
        await ResponseStore().prepare(ask(conversation="conv_1"), "2")


async def test_a_conversation_gets_what_is_new(store: Store, responses: ResponseStore):
    await store.conversations.create(
        Conversation("conv_1", 1, b"{}"), [Item("msg_old", b'{"id":"msg_old","role":"user","content":"old"}')]
    )
    given = [{"id": "msg_old", "role": "user", "content": "old"}, {"id": "msg_new", "role": "user", "content": "new"}]
    request = ask(conversation={"id": "conv_1"}, store=False, input=given)
    responses.keep(await responses.prepare(request, "1"), FINISHED)
    await responses.settled("conv_1")
    page = await store.conversations.items("conv_1", Paging(order="asc"))
    assert page is not None
    assert [item.id for item in page.items] == ["msg_old", "msg_new"]
    assert await store.responses.get("resp_1") is None


async def test_a_failed_response_adds_nothing_to_its_conversation(store: Store, responses: ResponseStore):
    await store.conversations.create(Conversation("conv_1", 1, b"{}"))
    request = ask(conversation="conv_1")
    failed = FinishedResponse("resp_1", "failed", b'{"id":"resp_1","output":[]}', [])
    responses.keep(await responses.prepare(request, "1"), failed)
    await responses.settled("resp_1")
    assert await store.conversations.all_items("conv_1") == ()
    assert await store.responses.get("resp_1") is not None


async def test_what_cannot_be_written_is_said(store: Store, responses: ResponseStore, caplog: pytest.LogCaptureFixture):
    await store.conversations.create(Conversation("conv_1", 1, b"{}"))
    request = ask(conversation="conv_1", store=False)
    continued = await responses.prepare(request, "1")
    await store.close()
    responses.keep(continued, FINISHED)
    assert not await responses.settled("resp_1")
    assert "were not added to its conversation" in caplog.text
    with pytest.raises(StoreError):
        await responses.prepare(ask(previous_response_id="resp_1"), "2")


async def test_a_write_that_a_request_waits_for_survives_the_request(responses: ResponseStore):
    request = ask()
    responses.keep(await responses.prepare(request, "1"), FINISHED)
    waiting = asyncio.create_task(responses.settled("resp_1"))
    await asyncio.sleep(0)
    waiting.cancel()
    assert await responses.settled("resp_1")
