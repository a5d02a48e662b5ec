"""The Conversations API: conversations and their items, which requests for responses continue."""

import time

from aiohttp import web

from claude_proxy.dialects.responses.conversations import (
    checked_items,
    checked_metadata,
    conversation_object,
    deleted_object,
)
from claude_proxy.dialects.responses.stored_items import item_for_client
from claude_proxy.errors import NotFound
from claude_proxy.server.exchange import BODY, EXCHANGE
from claude_proxy.server.generation import own_id
from claude_proxy.server.lists import included, item_list, json_response, list_object, paging_of
from claude_proxy.server.response_store import RESPONSE_STORE, ResponseStore, conversation_not_found
from claude_proxy.store.conversations import Conversation
from claude_proxy.store.paging import Item
from claude_proxy.store.store import Store
from claude_proxy.wire.conversation_request import ConversationCreate, ConversationUpdate, ItemsCreate, read_body


async def create(request: web.Request) -> web.StreamResponse:
    store = request.app[RESPONSE_STORE]
    given = read_body(request.get(BODY, b""), ConversationCreate)
    id_ = own_id(request[EXCHANGE])
    items = checked_items(await store.resolved(given.items or ()), id_)
    conversation = Conversation(f"conv_{id_}", time.time(), checked_metadata(given.metadata))
    await store.require().conversations.create(conversation, [Item(item.id, bytes(item.json)) for item in items])
    return _answer(conversation)


async def retrieve(request: web.Request) -> web.StreamResponse:
    return _answer(await _found(request))


async def update(request: web.Request) -> web.StreamResponse:
    store, id_ = await _store_of(request)
    metadata = checked_metadata(read_body(request.get(BODY, b""), ConversationUpdate).metadata)
    conversation = await store.conversations.update(id_, metadata)
    if conversation is None:
        raise conversation_not_found(id_)
    return _answer(conversation)


async def delete(request: web.Request) -> web.StreamResponse:
    store, id_ = await _store_of(request)
    if not await store.conversations.delete(id_):
        raise conversation_not_found(id_)
    return json_response(deleted_object(id_))


async def add_items(request: web.Request) -> web.StreamResponse:
    include = included(request)
    store, id_ = await _store_of(request)
    given = read_body(request.get(BODY, b""), ItemsCreate)
    resolved = await request.app[RESPONSE_STORE].resolved(given.items)
    items = checked_items(resolved, own_id(request[EXCHANGE]))
    added = await store.conversations.add_items(id_, [Item(item.id, bytes(item.json)) for item in items])
    if added is None:
        raise conversation_not_found(id_)
    return json_response(list_object(added, include, has_more=False))


async def list_items(request: web.Request) -> web.StreamResponse:
    include, paging = included(request), paging_of(request)
    store, id_ = await _store_of(request)
    page = await store.conversations.items(id_, paging)
    if page is None:
        raise conversation_not_found(id_)
    return json_response(item_list(page, include))


async def retrieve_item(request: web.Request) -> web.StreamResponse:
    include = included(request)
    store, id_ = await _store_of(request)
    item_id = request.match_info["item_id"]
    await _found(request)
    item = await store.conversations.item(id_, item_id)
    if item is None:
        raise _item_not_found(id_, item_id)
    return json_response(bytes(item_for_client(item.json, include)))


async def delete_item(request: web.Request) -> web.StreamResponse:
    """Delete an item; the answer is the conversation."""
    store, id_ = await _store_of(request)
    item_id = request.match_info["item_id"]
    conversation = await _found(request)
    if not await store.conversations.delete_item(id_, item_id):
        raise _item_not_found(id_, item_id)
    return _answer(conversation)


async def _store_of(request: web.Request) -> tuple[Store, str]:
    """The store, once what is under way for this conversation is written, and the conversation's id."""
    responses: ResponseStore = request.app[RESPONSE_STORE]
    id_ = request.match_info["id"]
    await responses.settled(id_)
    return responses.require(), id_


async def _found(request: web.Request) -> Conversation:
    store, id_ = await _store_of(request)
    conversation = await store.conversations.get(id_)
    if conversation is None:
        raise conversation_not_found(id_)
    return conversation


def _answer(conversation: Conversation) -> web.Response:
    return json_response(conversation_object(conversation.id, conversation.created_at, conversation.metadata))


def _item_not_found(id_: str, item_id: str) -> NotFound:
    return NotFound(f"Item with id '{item_id[:200]}' not found in conversation '{id_[:200]}'.")
