"""A store in a directory of its own, with a clock that the test sets."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from claude_proxy.store.responses import StoredResponse
from claude_proxy.store.store import Limits, Store

NOW = 1_000_000.0


class Clock:
    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "data" / "store.sqlite3"


@pytest.fixture
async def store(file: Path, clock: Clock) -> AsyncIterator[Store]:
    store = Store(file, Limits(), clock=clock)
    yield store
    await store.close()


def response(number: int, previous: int | None = None, **fields: object) -> StoredResponse:
    """Response `number`, whose input and output name it."""
    known: dict[str, object] = {
        "id": f"resp_{number}",
        "created_at": NOW + number,
        "status": "completed",
        "body": b'{"id":"resp_%d","output":[{"id":"msg_%d"}]}' % (number, number),
        "input": b'[{"id":"in_%d"}]' % number,
        "previous_response_id": None if previous is None else f"resp_{previous}",
    }
    return StoredResponse(**{**known, **fields})  # type: ignore[arg-type] # as the test gives them
