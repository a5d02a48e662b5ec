"""The real OpenAI SDK against a daemon that stores responses; its replies are validated strictly."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from openai import AsyncOpenAI

from tests.support.daemon import Daemon, daemon

MODEL = "claude-haiku-4-5"


def strict_client(running: Daemon) -> AsyncOpenAI:
    """A client that raises for a reply which its own types do not allow."""
    return AsyncOpenAI(
        base_url=running.openai, api_key="any key will do", max_retries=0, _strict_response_validation=True
    )


@asynccontextmanager
async def storing_daemon(tmp_path: Path, **settings: Any) -> AsyncIterator[tuple[Daemon, AsyncOpenAI]]:
    """A daemon with a store in `tmp_path`, and a client of it."""
    file = tmp_path / "data" / "store.sqlite3"
    async with daemon(store_file=file, **settings) as running, strict_client(running) as client:
        yield running, client


def texts_sent(running: Daemon) -> list[tuple[str, str]]:
    """Role and text of each message of the last request that went upstream."""
    messages = running.bodies[-1]["messages"]
    return [(message["role"], text_of(message["content"])) for message in messages]


def text_of(content: Any) -> str:
    if isinstance(content, str):
        return content
    return " ".join(block.get("text") or f"({block['type']})" for block in content)
