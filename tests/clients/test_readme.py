"""Runs the README's snippets."""

import asyncio
import re
import sys
from pathlib import Path

import pytest

from claude_proxy.cli.main import COMMANDS
from tests.support.components import program
from tests.support.daemon import Daemon

README = (Path(__file__).parents[2] / "README.md").read_text("utf-8")
DOCS = sorted((Path(__file__).parents[2] / "docs").glob("*.md"))
QUESTION = "Why is the sky blue?"  # the simulator echoes it


def block(language: str, word: str) -> str:
    """The one block of `language` that holds `word`."""
    [found] = [text for text in re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL) if word in text]
    return str(found)


async def pasted(command: list[str], code: str, daemon: Daemon, *, cwd: Path | None = None) -> str:
    code = code.replace("http://localhost:8000", daemon.url)
    process = await asyncio.create_subprocess_exec(*command, stdin=-1, stdout=-1, stderr=-1, cwd=cwd)
    async with asyncio.timeout(60):
        out, err = await process.communicate(code.encode())
    assert process.returncode == 0, err.decode()
    return out.decode()


async def test_the_python_example_answers(daemon: Daemon):
    assert QUESTION in await pasted([sys.executable, "-"], block("python", "OpenAI("), daemon)


@pytest.mark.component("node")
async def test_the_node_example_answers(daemon: Daemon):
    clients = Path(__file__).parent / "node"
    code = block("javascript", "new OpenAI(")
    assert QUESTION in await pasted([str(program("node")), "--input-type=module", "-"], code, daemon, cwd=clients)


@pytest.mark.component("curl")
async def test_the_curl_example_answers(daemon: Daemon):
    assert QUESTION in await pasted(["bash", "-s"], block("bash", "curl "), daemon)


def test_every_command_it_names_exists():
    known = {name for section in COMMANDS.values() for name in section}
    for page in (README, *(path.read_text("utf-8") for path in DOCS)):
        prose = re.sub(r"<!-- table.*?/table -->", "", page, flags=re.DOTALL)
        assert set(re.findall(r"`claude-proxy ([a-z]+)", prose)) <= known
