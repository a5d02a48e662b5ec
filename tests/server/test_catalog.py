import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Self

import pytest

from claude_proxy.errors import NoCredential, ProxyError, UpstreamUnreachable
from claude_proxy.server.catalog import RETRY, Catalog
from claude_proxy.translate.models import SHIPPED
from claude_proxy.transport.sink import Sink
from claude_proxy.upstream.base import Abilities, BackendStatus, Identity, NativeRequest, Reply


@dataclass
class Canned:
    """A reply that is all there."""

    body: bytes
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    ended: bool = False

    async def pipe_to(self, sink: Sink) -> None:
        raise NotImplementedError

    async def read(self) -> bytes:
        return self.body

    def close(self) -> None:
        self.ended = True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Lists:
    """A Backend that answers with `pages`, one after the other, then with the last one for ever."""

    name = "lists"
    abilities = Abilities()

    def __init__(self, *pages: bytes | ProxyError | int | None) -> None:
        self.pages = list(pages)
        self.asked: list[str | None] = []
        self.gate = asyncio.Event()
        self.gate.set()

    async def models(self, after: str | None = None) -> Reply | None:
        self.asked.append(after)
        await self.gate.wait()
        page = self.pages.pop(0) if len(self.pages) > 1 else self.pages[0]
        if isinstance(page, ProxyError):
            raise page
        if page is None:
            return None
        return Canned(b"", page) if isinstance(page, int) else Canned(page)

    async def messages(self, body: bytes, *, betas: Sequence[str] = (), client_retries: int = 0) -> Reply:
        raise NotImplementedError

    async def native(self, request: NativeRequest) -> Reply:
        raise NotImplementedError

    async def identity(self) -> Identity:
        raise NotImplementedError

    def status(self) -> BackendStatus:
        raise NotImplementedError

    async def close(self) -> None:
        pass


def page(*ids: str, more: bool = False) -> bytes:
    return json.dumps({"data": [{"id": id_} for id_ in ids], "has_more": more, "last_id": ids[-1]}).encode()


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


async def test_all_pages_are_read_in_upstreams_order() -> None:
    backend = Lists(page("b/1", "a", more=True), page("c"))
    catalog = Catalog(backend, 600)
    assert [info.id for info in await catalog.models()] == ["b/1", "a", "c"]
    assert backend.asked == [None, "a"]


async def test_a_backend_without_a_list_leaves_the_shipped_table() -> None:
    backend = Lists(None)
    catalog = Catalog(backend, 600)
    assert await catalog.models() == SHIPPED
    assert await catalog.models() == SHIPPED
    assert len(backend.asked) == 1


async def test_pages_without_an_end_are_given_up() -> None:
    backend = Lists(page("a", more=True))
    await Catalog(backend, 600).models()
    assert len(backend.asked) == 20


async def test_the_list_is_kept_for_its_time() -> None:
    backend, clock = Lists(page("a"), page("b")), Clock()
    catalog = Catalog(backend, 600, clock=clock)
    assert [info.id for info in await catalog.models()] == ["a"]
    clock.now += 599
    assert [info.id for info in await catalog.models()] == ["a"]
    clock.now += 1
    assert [info.id for info in await catalog.models()] == ["b"]


async def test_many_who_ask_at_once_make_one_request() -> None:
    backend = Lists(page("a"))
    catalog = Catalog(backend, 600)
    assert len(await asyncio.gather(*(catalog.models() for _ in range(50)))) == 50
    assert len(backend.asked) == 1


async def test_a_snapshot_does_not_wait_and_asks_in_the_background() -> None:
    backend = Lists(page("a"))
    backend.gate.clear()
    catalog = Catalog(backend, 600)
    assert catalog.snapshot() == {}
    backend.gate.set()
    await catalog.models()
    assert list(catalog.snapshot()) == ["a"]
    assert len(backend.asked) == 1


@pytest.mark.parametrize(
    "failure", [UpstreamUnreachable("away"), NoCredential("none"), 500, 401, b"<html>", b"\xff", b"{}"]
)
async def test_a_failure_leaves_the_shipped_table_and_is_not_repeated_at_once(
    failure: bytes | ProxyError | int,
) -> None:
    backend, clock = Lists(failure, page("a")), Clock()
    catalog = Catalog(backend, 600, clock=clock)
    assert await catalog.models() == SHIPPED
    assert await catalog.models() == SHIPPED
    assert len(backend.asked) == 1
    clock.now += RETRY
    assert [info.id for info in await catalog.models()] == ["a"]


async def test_a_failure_later_leaves_the_old_list() -> None:
    backend, clock = Lists(page("a"), UpstreamUnreachable("away")), Clock()
    catalog = Catalog(backend, 600, clock=clock)
    await catalog.models()
    clock.now += 600
    assert [info.id for info in await catalog.models()] == ["a"]


async def test_one_who_gives_up_waiting_does_not_end_the_request_of_the_others() -> None:
    backend = Lists(page("a"))
    backend.gate.clear()
    catalog = Catalog(backend, 600)
    impatient = asyncio.create_task(catalog.models())
    patient = asyncio.create_task(catalog.models())
    await asyncio.sleep(0)
    impatient.cancel()
    backend.gate.set()
    assert [info.id for info in await patient] == ["a"]


async def test_closing_ends_a_request_that_is_under_way() -> None:
    backend = Lists(page("a"))
    backend.gate.clear()
    catalog = Catalog(backend, 600)
    catalog.snapshot()
    await asyncio.sleep(0)
    await catalog.close()
    assert len(asyncio.all_tasks()) == 1


async def test_closing_without_a_request_does_nothing() -> None:
    await Catalog(Lists(page("a")), 600).close()
