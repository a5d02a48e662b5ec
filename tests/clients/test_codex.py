"""The unmodified Codex CLI against the daemon: it reads, patches, runs and answers, and takes a session up again."""

import asyncio
import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.support.components import program
from tests.support.daemon import Daemon
from tests.support.daemon import daemon as running_daemon

pytestmark = [pytest.mark.component("codex"), pytest.mark.component("node")]

MODEL = "claude-opus-4-8"
OPENAI_MODEL = "gpt-6-sol"  # one that Codex knows: it gets other tools than a model it does not know

CODE = "def add(a, b):\n    return a - b\n"
PATCH = """*** Begin Patch
*** Update File: calc.py
@@
 def add(a, b):
-    return a - b
+    return a + b
*** End Patch"""
RUN = "python3 -c 'import calc; print(calc.add(2, 3))'"


class Codex:
    """A home for Codex that points at the daemon, and a small repository to work in."""

    def __init__(self, home: Path, url: str, model: str) -> None:
        self.home, self.repository = home / "codex", home / "repository"
        self.home.mkdir()
        self.repository.mkdir()
        (self.repository / "calc.py").write_text(CODE)
        subprocess.run(["git", "init", "-q", self.repository], check=True)
        provider = {"name": "claude-proxy", "base_url": url, "env_key": "PROXY_KEY", "wire_api": "responses"}
        lines = [f'model = "{model}"', 'model_provider = "proxy"', "[model_providers.proxy]"]
        lines += [f'{name} = "{value}"' for name, value in provider.items()]
        (self.home / "config.toml").write_text("\n".join(lines))

    async def run(self, *arguments: str) -> list[dict[str, Any]]:
        """The events that `codex exec` prints; fails with all it said, unless it ends well."""
        command = [str(program("codex")), "exec", *arguments]
        environ = {
            "CODEX_HOME": str(self.home),
            "HOME": str(self.home),
            "PATH": os.environ["PATH"],
            "PROXY_KEY": "any",
            # Nothing listens there: a call to any other host fails at once.
            "HTTPS_PROXY": "http://127.0.0.1:9",
            "NO_PROXY": "127.0.0.1",
        }
        process = await asyncio.create_subprocess_exec(
            *command, cwd=self.repository, env=environ, stdin=asyncio.subprocess.DEVNULL, stdout=-1, stderr=-1
        )
        try:
            async with asyncio.timeout(120):
                out, err = await process.communicate()
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        assert process.returncode == 0, (out + err).decode()
        return [json.loads(line) for line in out.decode().splitlines()]


OPTIONS = ("--json", "--skip-git-repo-check", "-s", "danger-full-access")


def said(events: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    """The items of one kind that were completed."""
    done = [event["item"] for event in events if event["type"] == "item.completed"]
    return [item for item in done if item["type"] == kind]


def script(*turns: str) -> str:
    return "Fix add.\n" + "\n/simulate next\n".join(turns)


def tool(name: str, **input_: str) -> str:
    return f"/simulate tool {name} {json.dumps(input_)}"


def assert_task_done(events: list[dict[str, Any]], codex: Codex) -> None:
    assert (codex.repository / "calc.py").read_text() == CODE.replace("-", "+")
    assert [item["aggregated_output"] for item in said(events, "command_execution")] == [CODE, "5\n"]
    assert len(said(events, "file_change")) == 1
    assert said(events, "agent_message")[-1]["text"] == "Fixed: 2 + 3 is 5."
    assert events[-1]["usage"]["output_tokens"] > 0


async def test_codex_does_a_task_and_resumes_its_session(daemon: Daemon, tmp_path: Path):
    codex = Codex(tmp_path, daemon.openai, MODEL)
    prompt = script(
        f"/simulate text I look.\n{tool('exec_command', cmd='cat calc.py')}",
        tool("exec_command", cmd=f"apply_patch <<'EOF'\n{PATCH}\nEOF"),
        tool("exec_command", cmd=RUN),
        "/simulate text Fixed: 2 + 3 is 5.",
    )
    events = await codex.run(*OPTIONS, prompt)
    assert_task_done(events, codex)
    thread = events[0]["thread_id"]
    resumed = await codex.run("resume", "--json", "--skip-git-repo-check", thread, "Thanks\n/simulate text Welcome.")
    assert said(resumed, "agent_message")[-1]["text"] == "Welcome."
    texts = json.dumps(daemon.bodies[-1]["messages"])
    assert "Fixed: 2 + 3 is 5." in texts


async def test_codex_runs_programs_and_returns_thinking_with_a_model_that_it_knows(tmp_path: Path):
    async with running_daemon(aliases={OPENAI_MODEL: MODEL}) as daemon:
        codex = Codex(tmp_path, daemon.openai, OPENAI_MODEL)
        prompt = script(
            "/simulate thinking I look first.\n"
            + tool("functions__exec", input="text(await tools.exec_command({cmd: 'cat calc.py'}))"),
            tool("functions__exec", input=f"text(await tools.apply_patch({json.dumps(PATCH)}))"),
            tool("functions__exec", input=f"text(await tools.exec_command({{cmd: {json.dumps(RUN)}}}))"),
            "/simulate text Fixed: 2 + 3 is 5.",
        )
        events = await codex.run(*OPTIONS, prompt)
        assert_task_done(events, codex)
        assert said(events, "reasoning")[0]["text"] == "I look first."
        blocks = [block for turn in daemon.bodies[-1]["messages"] for block in turn["content"]]
        assert next(block["thinking"] for block in blocks if block["type"] == "thinking") == "I look first."


async def test_codex_gets_an_answer_of_its_schema(daemon: Daemon, tmp_path: Path):
    codex = Codex(tmp_path, daemon.openai, MODEL)
    schema = tmp_path / "schema.json"
    schema.write_text(
        json.dumps(
            {
                "type": "object",
                "properties": {"sum": {"type": "integer"}},
                "required": ["sum"],
                "additionalProperties": False,
            }
        )
    )
    events = await codex.run(*OPTIONS, "--output-schema", str(schema), 'Add.\n/simulate text {"sum": 5}')
    assert json.loads(said(events, "agent_message")[-1]["text"]) == {"sum": 5}
    assert daemon.bodies[-1]["output_config"]["format"]["schema"]["required"] == ["sum"]
