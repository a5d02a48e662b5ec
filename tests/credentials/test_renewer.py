import asyncio
import threading

import pytest

from claude_proxy.credentials import renewer as renewer_module
from claude_proxy.credentials.base import Credential, Finding, Secret, Source
from claude_proxy.credentials.cached_source import CachedSource
from claude_proxy.credentials.renewer import RETRY_RENEWAL, Renewer

OLD, OTHER, NEW = (Credential("oauth", Secret(text), "renewable") for text in ("old", "other", "new"))


class Renewable(Source):
    name = "renewable"
    description = "for a test"

    def __init__(self, credential: Credential = OLD, *, problem: str | None = None) -> None:
        self.credential, self.problem = credential, problem
        self.replacement: Credential | None = NEW
        self.renewals = 0
        self.release = threading.Event()
        self.release.set()
        self.error: Exception | None = None

    def look(self) -> Finding:
        return Finding(self.name, "found", credential=self.credential)

    def renew(self, credential: Credential) -> str | None:
        self.renewals += 1
        self.release.wait(30)
        if self.error:
            raise self.error
        if self.replacement and not self.problem:
            self.credential = self.replacement
        return self.problem


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def cached(source: Source) -> CachedSource:
    return CachedSource(source, Clock())


async def test_after_a_renewal_the_source_has_been_looked_at_again():
    source, renewer = cached(Renewable()), Renewer(Clock())
    await source.look()
    await renewer.run(source, OLD)
    assert source.finding is not None
    assert source.finding.credential == NEW
    assert renewer.failure(OLD) is None


async def test_there_is_one_renewal_at_a_time_and_a_waiter_may_leave():
    source = Renewable()
    source.release.clear()
    look, renewer = cached(source), Renewer(Clock())
    waiting = [asyncio.create_task(renewer.run(look, OLD)) for _ in range(10)]
    await asyncio.sleep(0)
    waiting.pop().cancel()
    source.release.set()
    await asyncio.gather(*waiting)
    assert source.renewals == 1


@pytest.mark.parametrize(
    ("problem", "reason"), [("its owner is not here", "its owner is not here"), (None, "its owner did not renew it")]
)
async def test_a_failure_is_remembered_for_a_while(problem, reason):
    clock, source = Clock(), Renewable(problem=problem)
    source.replacement = None
    renewer = Renewer(clock)
    await renewer.run(cached(source), OLD)
    assert renewer.failure(OLD) == reason
    assert renewer.failure(NEW) is None
    clock.now += RETRY_RENEWAL
    assert renewer.failure(OLD) is None


async def test_failures_of_several_credentials_are_kept_apart(caplog):
    renewer = Renewer(Clock())
    renewer.give_up(OLD, "one")
    renewer.give_up(OTHER, "two")
    renewer.give_up(OLD, "three")
    assert (renewer.failure(OLD), renewer.failure(OTHER)) == ("one", "two")
    assert len(caplog.records) == 2


async def test_one_that_takes_too_long_is_not_waited_for_and_not_doubled(monkeypatch):
    monkeypatch.setattr(renewer_module, "RENEWAL_TIMEOUT", 0.05)
    source = Renewable()
    source.release.clear()
    look, renewer = cached(source), Renewer(Clock())
    await renewer.run(look, OLD)
    await renewer.run(look, OLD)
    assert renewer.failure(OLD) == "it was not renewed within 0.05 s"
    assert source.renewals == 1
    running = renewer.start(look, OLD)
    source.release.set()
    await running
    assert look.finding is not None
    assert look.finding.credential == NEW


async def test_one_in_the_background_that_raises_is_a_failure(caplog):
    source, renewer = Renewable(), Renewer(Clock())
    source.error = ValueError("made-up-secret")
    with pytest.raises(ValueError, match="made-up"):
        await renewer.start(cached(source), OLD)
    assert renewer.failure(OLD) == "it failed with ValueError"
    assert "made-up-secret" not in caplog.text
