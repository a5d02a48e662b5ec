"""Libraries that speak OpenAI's API, as their users run them: none of them knows what answers it.

Each is a program of its own in an environment of its own (`scripts/clients`); the daemon and the simulator behind it
run here, so that what went upstream can be judged.
"""

import asyncio
import logging
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.components import CLIENTS, program
from tests.support.daemon import Daemon
from tests.support.daemon import daemon as running_daemon

HERE = Path(__file__).parent


async def run(command: list[str], url: str) -> None:
    """Run a client against the daemon at `url`; fails with all it said, unless it ends well and in peace."""
    environ = {
        "HOME": os.environ["HOME"],
        "PATH": os.environ["PATH"],
        "OPENAI_BASE_URL": url,
        # Nothing listens there: whoever calls home or fetches a price list is told so at once.
        "HTTPS_PROXY": "http://127.0.0.1:9",
        "NO_PROXY": "127.0.0.1",
    }
    process = await asyncio.create_subprocess_exec(
        *command, env=environ, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    try:
        async with asyncio.timeout(90):
            out, err = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode == 0, (out + err).decode()
    assert err == b"", err.decode()
    assert out


def without_effect(caplog: pytest.LogCaptureFixture) -> set[str]:
    """The parameters that the daemon has warned of; nothing else may be in its log."""
    warnings = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert all(" from " in warning for warning in warnings), warnings
    return {warning.partition(" from ")[0] for warning in warnings}


@pytest.mark.component("clients")
@pytest.mark.parametrize(
    ("library", "environment", "warned"),
    [
        pytest.param("openai", "openai2", {"tool_choice"}, id="openai-2"),
        pytest.param("openai", "openai3", {"tool_choice"}, id="openai-3"),
        pytest.param("instructor", "openai2", {"tool_choice"}, id="instructor"),
        pytest.param("langchain", "openai3", {"temperature", "tool_choice", "top_p"}, id="langchain"),
        pytest.param("litellm", "openai2", {"temperature", "tool_choice"}, id="litellm"),
        pytest.param("llama_index", "openai2", {"temperature", "tool_choice"}, id="llama_index"),
        pytest.param("llm", "openai3", {"temperature"}, id="llm"),
        pytest.param("openai_agents", "openai3", {"tool_choice"}, id="openai_agents"),
        pytest.param("pydantic_ai", "openai3", {"messages[3]", "tool_choice"}, id="pydantic_ai"),
    ],
)
async def test_a_library_gets_all_it_asks_for(
    library: str, environment: str, warned: set[str], daemon: Daemon, caplog: pytest.LogCaptureFixture
):
    """`warned` are the parameters it sends that are known to have no effect with some model."""
    await run([str(CLIENTS / environment / "bin/python"), str(HERE / f"with_{library}.py")], daemon.openai)
    assert without_effect(caplog) == warned


@pytest.mark.component("node")
async def test_the_ai_sdk_gets_all_it_asks_for(daemon: Daemon, caplog: pytest.LogCaptureFixture):
    await run([str(program("node")), str(HERE.parent / "node/ai-sdk.mjs"), daemon.openai], daemon.openai)
    assert without_effect(caplog) == {"tool_choice"}


@pytest.fixture
async def storing(tmp_path: Path) -> AsyncIterator[Daemon]:
    """A daemon that keeps responses and conversations, as it does by default."""
    async with running_daemon(store_file=tmp_path / "store.sqlite3") as daemon:
        yield daemon


@pytest.mark.component("clients")
@pytest.mark.parametrize(
    ("library", "environment"),
    [
        pytest.param("langchain_responses", "openai3", id="langchain"),
        pytest.param("litellm_responses", "openai2", id="litellm"),
        pytest.param("openai_agents_responses", "openai3", id="openai_agents"),
        pytest.param("pydantic_ai_responses", "openai3", id="pydantic_ai"),
    ],
)
async def test_a_library_gets_all_it_asks_for_of_the_responses_api(
    library: str, environment: str, storing: Daemon, caplog: pytest.LogCaptureFixture
):
    await run([str(CLIENTS / environment / "bin/python"), str(HERE / f"with_{library}.py")], storing.openai)
    assert without_effect(caplog) == set()


@pytest.mark.component("node")
async def test_the_node_sdks_get_all_they_ask_for_of_the_responses_api(
    storing: Daemon, caplog: pytest.LogCaptureFixture
):
    await run([str(program("node")), str(HERE.parent / "node/responses.mjs"), storing.openai], storing.openai)
    assert without_effect(caplog) == set()
