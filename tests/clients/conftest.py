from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from anthropic import AsyncAnthropic
from openai import AsyncOpenAI, OpenAI

from tests.support.daemon import Daemon
from tests.support.daemon import daemon as running_daemon

MODEL = "claude-haiku-4-5"


@pytest.fixture
async def daemon(tmp_path: Path) -> AsyncIterator[Daemon]:
    async with running_daemon(store_file=tmp_path / "data" / "store.sqlite3") as daemon:
        yield daemon


@pytest.fixture(autouse=True)
def nothing_went_wrong_inside(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Fail a test that leaves an ERROR line in the log."""
    yield
    assert not [record.getMessage() for record in caplog.get_records("call") if record.levelname == "ERROR"]


@pytest.fixture
async def client(daemon: Daemon) -> AsyncIterator[AsyncOpenAI]:
    """The OpenAI SDK in its usual configuration, but without retries: a test needs the first reply."""
    async with AsyncOpenAI(base_url=daemon.openai, api_key="any key will do", max_retries=0) as client:
        yield client


@pytest.fixture
def sync_client(daemon: Daemon) -> Iterator[OpenAI]:
    with OpenAI(base_url=daemon.openai, api_key="any key will do", max_retries=0) as client:
        yield client


@pytest.fixture
async def native(daemon: Daemon) -> AsyncIterator[AsyncAnthropic]:
    async with AsyncAnthropic(base_url=daemon.url, api_key="any key will do", max_retries=0) as client:
        yield client
