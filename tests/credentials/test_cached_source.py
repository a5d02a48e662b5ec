import asyncio
import threading

import pytest

from claude_proxy.credentials.base import Finding, Source
from claude_proxy.credentials.cached_source import CachedSource
from tests.credentials.conftest import until


class Counting(Source):
    """A source whose answers are numbered by its looks."""

    name = "counting"
    description = "for a test"

    def __init__(self, ttl: float | None = None) -> None:
        self.ttl = ttl
        self.looks = self.version = 0
        self.release = threading.Event()
        self.release.set()
        self.error: Exception | None = None

    def look(self) -> Finding:
        self.looks += 1
        answer = self.not_here(f"look {self.looks}", ttl=self.ttl)
        self.release.wait(30)
        if self.error:
            raise self.error
        return answer

    def fingerprint(self) -> object:
        return self.version


class Constant(Counting):
    fingerprint = Source.fingerprint


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


async def test_the_answer_is_kept_while_the_fingerprint_stays():
    source = Counting()
    cached = CachedSource(source, Clock())
    assert not cached.is_usable()
    assert await cached.look() is await cached.look() is cached.finding
    assert source.looks == 1
    source.version += 1
    assert not cached.is_usable()
    assert (await cached.look()).detail == "look 2"


async def test_another_look_can_be_asked_for():
    cached = CachedSource(Counting(), Clock())
    await cached.look()
    assert (await cached.look(again=True)).detail == "look 2"


async def test_an_equal_answer_stays_the_same_object():
    source = Counting()
    cached = CachedSource(source, Clock())
    first = await cached.look()
    source.looks = 0
    assert await cached.look(again=True) is first


async def test_a_change_during_a_look_causes_another_one():
    source = Counting()
    source.release.clear()
    cached = CachedSource(source, Clock())
    running = asyncio.create_task(cached.look())
    await until(lambda: source.looks)
    source.version += 1
    source.release.set()
    await running
    assert (await cached.look()).detail == "look 2"


async def test_past_its_ttl_it_is_given_once_more_that_long_while_it_is_replaced():
    clock, source = Clock(), Counting(ttl=10)
    cached = CachedSource(source, clock)
    first = await cached.look()
    clock.now += 9.9
    assert cached.is_usable()
    assert source.looks == 1
    clock.now += 10
    assert await cached.look() is first
    await until(lambda: cached.finding is not first)
    assert source.looks == 2
    assert cached.is_usable()
    clock.now += 20
    assert not cached.is_usable()


async def test_a_look_that_takes_too_long_is_not_repeated_until_it_ends():
    source = Counting()
    source.look_timeout = 0.05
    source.release.clear()
    cached = CachedSource(source, Clock())
    assert (await cached.look()).detail == "no answer within 0.05 s"
    source.version += 1
    for _ in range(3):
        assert (await cached.look()).state == "cannot look"
        assert (await cached.look(again=True)).state == "cannot look"
    assert source.looks == 1
    source.release.set()
    await until(lambda: cached.finding is not None and cached.finding.detail == "look 1")
    assert (await cached.look()).detail == "look 2"  # the fingerprint had changed meanwhile


async def test_a_look_in_the_background_that_hangs_keeps_the_answer_as_long_as_it_may_be_used():
    clock, source = Clock(), Counting(ttl=10)
    cached = CachedSource(source, clock)
    first = await cached.look()
    source.release.clear()
    source.look_timeout = 0.05
    clock.now += 15
    assert await cached.look() is first
    clock.now += 5
    assert (await cached.look()).state == "cannot look"
    source.release.set()


async def test_only_what_has_neither_fingerprint_nor_ttl_cannot_change():
    for source, changes in [(Counting(), True), (Constant(), False), (Constant(ttl=10), True)]:
        cached = CachedSource(source, Clock())
        await cached.look()
        assert cached.can_change is changes


async def test_a_source_that_has_not_answered_may_change():
    source = Constant()
    source.look_timeout = 0.05
    source.release.clear()
    cached = CachedSource(source, Clock())
    await cached.look()
    assert cached.can_change
    source.release.set()


async def test_a_look_that_raises_is_an_answer_and_its_text_is_not_shown(caplog: pytest.LogCaptureFixture):
    clock, source = Clock(), Counting()
    source.error = ValueError("made-up-secret")
    cached = CachedSource(source, clock)
    finding = await cached.look()
    assert (finding.state, finding.detail) == ("cannot look", "it failed with ValueError")
    assert "test_cached_source.py" in caplog.text
    assert "made-up-secret" not in caplog.text
    source.error = None
    clock.now += 120
    assert (await cached.look()).state == "not here"
