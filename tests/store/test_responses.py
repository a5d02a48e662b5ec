import asyncio
from pathlib import Path

import pytest

from claude_proxy.errors import StoreError
from claude_proxy.store.conversations import Conversation
from claude_proxy.store.paging import Item, Paging
from claude_proxy.store.responses import Chain
from claude_proxy.store.store import Store
from tests.store.conftest import response


def links(chain: Chain | None) -> list[str]:
    assert chain is not None
    return [link.id for link in chain.links]


async def test_a_response_comes_back_as_it_was_put(store: Store):
    put = response(1, previous=0, conversation_id="conv_1")
    await store.responses.put(put)
    assert await store.responses.get("resp_1") == put
    assert await store.responses.get("resp_2") is None


async def test_an_id_is_stored_once(store: Store):
    await store.responses.put(response(1))
    with pytest.raises(StoreError):
        await store.responses.put(response(1, body=b'{"other":1}'))
    assert await store.responses.get("resp_1") == response(1)


async def test_an_update_replaces_status_and_body(store: Store):
    await store.responses.put(response(1, status="in_progress"))
    assert await store.responses.update("resp_1", "completed", b'{"output":[]}')
    assert await store.responses.get("resp_1") == response(1, body=b'{"output":[]}')
    assert not await store.responses.update("resp_2", "completed", b"{}")


async def test_the_newest_are_listed_first(store: Store):
    for number in (2, 1, 3):
        await store.responses.put(response(number))
    assert [each.id for each in await store.responses.newest(2)] == ["resp_3", "resp_2"]
    assert (await store.responses.newest())[0].size == response(3).size


async def test_a_chain_has_what_each_request_sent_and_got_oldest_first(store: Store):
    for number, previous in ((1, None), (2, 1), (3, 2)):
        await store.responses.put(response(number, previous))
    chain = await store.responses.chain("resp_3")
    assert chain is not None
    assert chain.complete
    assert [(link.id, link.input, link.output) for link in chain.links] == [
        (f"resp_{number}", b'[{"id":"in_%d"}]' % number, b'[{"id":"msg_%d"}]' % number) for number in (1, 2, 3)
    ]
    assert await store.responses.chain("resp_9") is None


async def test_a_chain_is_bounded_and_says_that_it_is_not_complete(store: Store):
    for number, previous in ((1, None), (2, 1), (3, 2)):
        await store.responses.put(response(number, previous))
    deep = await store.responses.chain("resp_3", max_depth=2)
    large = await store.responses.chain("resp_3", max_bytes=2 * response(1).size)
    assert links(deep) == links(large) == ["resp_2", "resp_3"]
    assert deep is not None
    assert large is not None
    assert not deep.complete
    assert not large.complete


async def test_a_chain_that_leads_back_to_itself_ends(store: Store):
    await store.responses.put(response(1, previous=2))
    await store.responses.put(response(2, previous=1))
    assert len(links(await store.responses.chain("resp_2", max_depth=10))) == 10


async def test_a_deleted_response_is_gone_and_later_ones_keep_their_context(store: Store):
    for number, previous in ((1, None), (2, 1), (3, 2)):
        await store.responses.put(response(number, previous))
    assert await store.responses.delete("resp_2")
    assert await store.responses.get("resp_2") is None
    assert await store.responses.chain("resp_2") is None
    assert await store.responses.input_items("resp_2", Paging()) is None
    assert not await store.responses.update("resp_2", "completed", b"{}")
    assert not await store.responses.delete("resp_2")
    assert [each.id for each in await store.responses.newest()] == ["resp_3", "resp_1"]
    chain = await store.responses.chain("resp_3")
    assert links(chain) == ["resp_1", "resp_2", "resp_3"]
    assert chain is not None
    assert chain.links[1].output == b'[{"id":"msg_2"}]'


async def test_what_was_kept_for_later_responses_goes_with_the_last_of_them(store: Store, file: Path):
    for number, previous in ((1, None), (2, 1), (3, 2), (4, 2)):
        await store.responses.put(response(number, previous))
    for number in (1, 2, 3):
        assert await store.responses.delete(f"resp_{number}")
    count = "SELECT count(*) FROM responses"
    assert await store.read(lambda connection: connection.execute(count).fetchone()) == (3,)
    assert await store.responses.delete("resp_4")
    assert await store.read(lambda connection: connection.execute(count).fetchone()) == (0,)


async def test_the_content_of_a_deleted_response_is_overwritten(store: Store, file: Path):
    secret = b"a very private question " * 1000
    await store.responses.put(response(1, input=b'["' + secret + b'"]'))
    await store.responses.delete("resp_1")
    await store.close()
    assert secret[:30] not in await asyncio.to_thread(file.read_bytes)


async def test_input_items_are_paged_by_their_ids(store: Store):
    await store.responses.put(response(1, input=b'[{"id":"a","n":1},{"type":"x"},{"id":"c"}]'))
    page = await store.responses.input_items("resp_1", Paging(order="asc", limit=2))
    assert page is not None
    assert page.items == (Item("a", b'{"id":"a","n":1}'), Item("item_1", b'{"type":"x"}'))
    assert page.has_more
    page = await store.responses.input_items("resp_1", Paging(order="asc", after="item_1"))
    assert page is not None
    assert [item.id for item in page.items] == ["c"]
    assert await store.responses.input_items("resp_2", Paging()) is None


async def test_the_items_of_a_response_join_its_conversation_with_it(store: Store):
    await store.conversations.create(Conversation("conv_1", 1.0, b"{}"))
    await store.responses.put(response(1, status="in_progress", conversation_id="conv_1"), [Item("a", b"1")])
    await store.responses.update("resp_1", "completed", b"{}", [Item("b", b"2")])
    assert await store.conversations.all_items("conv_1") == (Item("a", b"1"), Item("b", b"2"))


async def test_a_response_that_cannot_be_put_adds_nothing_to_its_conversation(store: Store):
    await store.conversations.create(Conversation("conv_1", 1.0, b"{}"))
    await store.responses.put(response(1))
    with pytest.raises(StoreError):
        await store.responses.put(response(1, conversation_id="conv_1"), [Item("a", b"1")])
    assert await store.conversations.all_items("conv_1") == ()
