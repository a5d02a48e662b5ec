import pytest

from claude_proxy.errors import InvalidRequest
from claude_proxy.store.conversations import Conversation
from claude_proxy.store.paging import Item, Paging
from claude_proxy.store.store import Store

CONVERSATION = Conversation("conv_1", 5.0, b'{"topic":"a"}')
ITEMS = [Item(name, b'{"n":"%s"}' % name.encode()) for name in "abc"]


async def test_a_conversation_is_created_read_changed_and_deleted(store: Store):
    await store.conversations.create(CONVERSATION, ITEMS)
    assert await store.conversations.get("conv_1") == CONVERSATION
    changed = Conversation("conv_1", 5.0, b"{}")
    assert await store.conversations.update("conv_1", b"{}") == changed
    assert await store.conversations.get("conv_1") == changed
    assert await store.conversations.delete("conv_1")
    assert not await store.conversations.delete("conv_1")
    items = "SELECT count(*) FROM conversation_items"
    assert await store.read(lambda connection: connection.execute(items).fetchone()) == (0,)


async def test_what_does_not_exist_is_none(store: Store):
    assert await store.conversations.get("conv_1") is None
    assert await store.conversations.update("conv_1", b"{}") is None
    assert await store.conversations.add_items("conv_1", ITEMS) is None
    assert await store.conversations.items("conv_1", Paging()) is None
    assert await store.conversations.all_items("conv_1") is None
    assert await store.conversations.item("conv_1", "a") is None
    assert not await store.conversations.delete_item("conv_1", "a")


async def test_items_are_paged_in_both_orders(store: Store):
    await store.conversations.create(CONVERSATION, ITEMS)
    await store.conversations.create(Conversation("conv_2", 5.0, b"{}"), ITEMS)
    cases = [
        (Paging(), "cba", False),
        (Paging(order="asc", limit=2), "ab", True),
        (Paging(order="asc", after="a"), "bc", False),
        (Paging(limit=1, after="c"), "b", True),
        (Paging(order="asc", limit=1, before="c"), "b", True),
    ]
    for paging, ids, has_more in cases:
        page = await store.conversations.items("conv_1", paging)
        assert page is not None
        assert ("".join(item.id for item in page.items), page.has_more) == (ids, has_more)


async def test_an_item_without_an_id_gets_one(store: Store):
    await store.conversations.create(CONVERSATION)
    added = await store.conversations.add_items("conv_1", [Item("", b"1"), Item("", b"2")])
    assert added is not None
    assert len({item.id for item in added if item.id.startswith("item_")}) == 2
    assert await store.conversations.all_items("conv_1") == added


async def test_items_are_added_all_or_none(store: Store):
    await store.conversations.create(CONVERSATION, ITEMS)
    with pytest.raises(InvalidRequest, match="already has an item with id 'a'"):
        await store.conversations.add_items("conv_1", [Item("d", b"1"), Item("a", b"2")])
    assert await store.conversations.all_items("conv_1") == tuple(ITEMS)


async def test_an_item_is_read_and_deleted(store: Store):
    await store.conversations.create(CONVERSATION, ITEMS)
    assert await store.conversations.item("conv_1", "b") == ITEMS[1]
    assert await store.conversations.delete_item("conv_1", "b")
    assert await store.conversations.item("conv_1", "b") is None
    assert await store.conversations.all_items("conv_1") == (ITEMS[0], ITEMS[2])


async def test_beyond_the_bound_the_newest_items_are_read(store: Store):
    await store.conversations.create(CONVERSATION, ITEMS)
    assert await store.conversations.all_items("conv_1", max_bytes=2 * len(ITEMS[0].json)) == tuple(ITEMS[1:])
