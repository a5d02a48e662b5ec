"""Stored responses and conversations as the endpoints use them: what a request continues, and what is kept of it.

A response is written while its last bytes go to the client. A request that names it meanwhile waits for that write.
"""

import asyncio
import functools
import logging
import time
from collections.abc import Coroutine, Mapping, Sequence

import msgspec
from aiohttp import web
from msgspec import Raw, Struct

from claude_proxy.dialects.responses.dialect import ResponseRequest
from claude_proxy.dialects.responses.input_items import referenced_id
from claude_proxy.dialects.responses.request import History
from claude_proxy.dialects.responses.response import FinishedResponse
from claude_proxy.dialects.responses.stored_items import StoredItem, failed_body, stored_input
from claude_proxy.errors import InvalidRequest, NotFound, ProxyError, StoreError
from claude_proxy.store.paging import Item
from claude_proxy.store.responses import StoredResponse
from claude_proxy.store.store import Store
from claude_proxy.wire.responses_request import ResponsesRequest

log = logging.getLogger(__name__)

STORE_OFF = "nothing is stored here: the setting `store` is off"

_read_list = msgspec.json.Decoder(list[Raw]).decode
_encode = msgspec.json.Encoder().encode


class Memory(Struct, frozen=True):
    """A response that only one WebSocket connection can continue: all items up to its end."""

    items: Sequence[Raw]


class Continued:
    """What a request continues, and its own input, whose ids are made when they are needed.

    It does not refer to the request: the request refers to it, and a cycle would keep its body in memory.
    """

    def __init__(self, request: ResponsesRequest, history: Sequence[Raw], own_id: str, known: frozenset[str]) -> None:
        self.history = history
        self.stored = request.store is not False
        self.conversation_id = request.conversation_id
        self.previous_response_id = request.previous_response_id
        self._given = request.input
        self._own_id = own_id
        self._known = known  # ids that the conversation has already

    @functools.cached_property
    def input(self) -> list[StoredItem]:
        return stored_input(self._given, self._own_id)

    def new_items(self, finished: FinishedResponse) -> list[Item]:
        """The items that the response adds to its conversation."""
        if self.conversation_id is None or finished.status not in ("completed", "incomplete"):
            return []
        items = {item.id: item for item in [*self.input, *finished.output_items()]}
        return [Item(id_, bytes(item.json)) for id_, item in items.items() if id_ not in self._known]


class ResponseStore:
    """The store behind the endpoints; without one, nothing is found and nothing is kept."""

    def __init__(self, store: Store | None = None) -> None:
        self._store = store
        self._pending: dict[str, asyncio.Task[bool]] = {}

    @property
    def enabled(self) -> bool:
        return self._store is not None

    def require(self) -> Store:
        """The store. Raises NotFound when there is none."""
        if self._store is None:
            raise NotFound(STORE_OFF, code="store_disabled", hint="set `store = true`")
        return self._store

    async def open(self) -> None:
        """Mark the runs as failed that the end of the last process has interrupted."""
        if self._store is None:
            return
        try:
            ended = await self._store.runs.end_interrupted("failed", _interrupted)
        except StoreError as exc:
            log.warning("responses cannot be stored: %s", exc.text)
        else:
            if ended:
                log.info("%d runs in the background were interrupted when the last process ended", len(ended))

    async def close(self) -> None:
        """Wait for the writes that are under way; closing the store itself is left to its owner."""
        if self._pending:
            await asyncio.wait(set(self._pending.values()))

    # ------------------------------------------------------------------------------------------- before a request

    async def prepare(self, ask: ResponseRequest, own_id: str, memory: Mapping[str, Memory] | None = None) -> Continued:
        """Give `ask` the history that it names, and its references their items.

        Raises InvalidRequest for a response, NotFound for a conversation, that is not there.
        """
        request = ask.request
        if not self.enabled and request.store is not False:
            ask.fields["store"] = Raw(b"false")  # the response must not claim more
        known: frozenset[str] = frozenset()
        if request.conversation_id is not None and request.previous_response_id is None:
            items = await self._conversation(request.conversation_id)
            known = frozenset(item.id for item in items)
            ask.history = History([Raw(item.json) for item in items], "conversation")
        elif request.previous_response_id is not None and request.conversation_id is None:
            remembered = (memory or {}).get(request.previous_response_id)
            items_before = remembered.items if remembered else await self._chain(request.previous_response_id)
            ask.history = History(items_before, "previous_response_id")
        if isinstance(request.input, list):
            request.input = await self.resolved(request.input)
        return Continued(request, ask.history.items, own_id, known)

    async def _chain(self, response_id: str) -> list[Raw]:
        await self.settled(response_id)
        chain = await self._store.responses.chain(response_id) if self._store else None
        if chain is None:
            raise InvalidRequest(
                f"Previous response with id '{response_id[:200]}' not found.",
                param="previous_response_id",
                code="previous_response_not_found",
                hint=None if self._store else STORE_OFF,
            )
        if chain.links[-1].status in ("queued", "in_progress"):
            raise InvalidRequest(
                f"Previous response with id '{response_id}' has not ended yet.",
                param="previous_response_id",
                code="previous_response_not_ready",
            )
        if not chain.complete:
            log.warning("the beginning of the conversation before response %s is no longer stored", chain.links[-1].id)
        return [item for link in chain.links for part in (link.input, link.output) for item in _read_list(part)]

    async def _conversation(self, conversation_id: str) -> Sequence[Item]:
        await self.settled(conversation_id)
        items = await self._store.conversations.all_items(conversation_id) if self._store else None
        if items is None:
            raise conversation_not_found(conversation_id)
        return items

    async def resolved(self, given: Sequence[Raw]) -> list[Raw]:
        """`given`, with stored items in the place of references; a reference to what is not there stays."""
        wanted = {index: id_ for index, item in enumerate(given) if (id_ := referenced_id(item)) is not None}
        if not wanted:
            return list(given)
        for pending in tuple(self._pending):
            await self.settled(pending)
        found = await self._store.responses.items(list(wanted.values())) if self._store else {}
        return [Raw(found[wanted[index]]) if wanted.get(index) in found else item for index, item in enumerate(given)]

    # ------------------------------------------------------------------------------------------- after a response

    def keep(self, continued: Continued, finished: FinishedResponse) -> None:
        """Begin to write a response that has ended, and what it adds to its conversation."""
        store, items = self._store, continued.new_items(finished)
        if store is None:
            return
        if not continued.stored:
            if continued.conversation_id is not None and items:
                self._begin(_append(store, continued.conversation_id, items), finished.id, continued.conversation_id)
            return
        record = stored_response(continued, finished.id, finished.status, finished.stored_body())
        self._begin(_put(store, record, items), finished.id, continued.conversation_id)

    def keep_ended(self, continued: Continued, finished: FinishedResponse) -> None:
        """Begin to write how a run in the background has ended."""
        items = continued.new_items(finished)
        self._begin(_update(self.require(), finished, items), finished.id, continued.conversation_id)

    def _begin(self, write: Coroutine[None, None, bool], *ids: str | None) -> None:
        task = asyncio.get_running_loop().create_task(write)
        for id_ in filter(None, ids):
            self._pending[id_] = task
            task.add_done_callback(functools.partial(self._forget, id_))

    def _forget(self, id_: str, task: "asyncio.Task[bool]") -> None:
        if self._pending.get(id_) is task:
            del self._pending[id_]

    async def settled(self, id_: str) -> bool:
        """Wait until the response or conversation `id_` is written; whether nothing has failed meanwhile."""
        task = self._pending.get(id_)
        return task is None or await asyncio.shield(task)


def stored_response(continued: Continued, id_: str, status: str, body: bytes) -> StoredResponse:
    """The row of a response."""
    return StoredResponse(
        id_,
        time.time(),
        status,
        body,
        _encode([item.json for item in continued.input]),
        continued.conversation_id,
        continued.previous_response_id,
    )


def conversation_not_found(conversation_id: str) -> NotFound:
    return NotFound(f"Conversation with id '{conversation_id[:200]}' not found.", param="conversation")


def response_not_found(response_id: str) -> NotFound:
    return NotFound(f"Response with id '{response_id[:200]}' not found.")


async def _put(store: Store, record: StoredResponse, items: Sequence[Item]) -> bool:
    try:
        await store.responses.put(record, items)
    except ProxyError as exc:
        log.warning("response %s was not stored: %s", record.id, exc.text)
        return False
    return True


async def _update(store: Store, finished: FinishedResponse, items: Sequence[Item]) -> bool:
    try:
        await store.responses.update(finished.id, finished.status, finished.stored_body(), items)
    except ProxyError as exc:
        log.warning("how response %s ended was not stored: %s", finished.id, exc.text)
        return False
    return True


async def _append(store: Store, conversation_id: str, items: Sequence[Item]) -> bool:
    try:
        return await store.conversations.add_items(conversation_id, items) is not None
    except ProxyError as exc:
        log.warning("the items of a response were not added to its conversation: %s", exc.text)
        return False


def _interrupted(response: StoredResponse) -> bytes:
    return failed_body(response.body, "claude-proxy ended while this response was generated")


RESPONSE_STORE = web.AppKey("response_store", ResponseStore)
