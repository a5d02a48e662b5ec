"""Each file in `transcripts/` is a session at a terminal: commands, what they say, how they end.

    $ command          run by the shell, in the home that the file has to itself
    ! text             a line on stderr
    text               a line on stdout
    [code]             the exit code

What differs from run to run stands in capitals. `UPDATE_TRANSCRIPTS=1` writes what the commands say now.
"""

import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from claude_proxy import __version__

TRANSCRIPTS = sorted(Path(__file__).with_name("transcripts").glob("*.txt"))
ROOT = Path(__file__).parents[2]


@pytest.fixture
def shell(tmp_path: Path, home: Path):
    """A place to run a session in: `claude-proxy` on the PATH, a port of its own, no daemon left behind."""
    program = tmp_path / "bin" / "claude-proxy"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -P -m claude_proxy "$@"\n')
    program.chmod(0o755)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    environ = {
        **os.environ,
        "PATH": f"{program.parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "CLAUDE_PROXY_PORT": port,
        "PORT": port,
        "COLUMNS": "100",
    }

    def run(command: str) -> tuple[str, str, int]:
        done = subprocess.run(
            ["bash", "-c", command], cwd=home, env=environ, capture_output=True, text=True, timeout=120, check=False
        )
        return done.stdout, done.stderr, done.returncode

    def anonymous(text: str) -> str:
        text = text.replace(str(home), "HOME").replace(f"{__version__}", "VERSION").replace(port, "PORT")
        text = re.sub(r"\bpid \d+", "pid PID", text)
        text = re.sub(r'("pid"|"since"|"started_at"|"uptime"): [\d.]+', r"\1: NUMBER", text)
        text = re.sub(r'"instance": "\w+"', '"instance": "INSTANCE"', text)
        text = re.sub(r"127\.0\.0\.1:(\d{4,5})", "127.0.0.1:OTHER", text)
        text = re.sub(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d{4}", "TIME", text)
        return re.sub(r"\bfor \d+ (s|min)\b", "for TIME", text)

    yield lambda command: tuple(anonymous(part) if isinstance(part, str) else part for part in run(command))
    run("claude-proxy stop")


def commands_of(transcript: str) -> list[str]:
    return [line.removeprefix("$ ") for line in transcript.splitlines() if line.startswith("$ ")]


def introduction_of(transcript: str) -> str:
    return transcript.partition("$ ")[0]


def as_text(command: str, out: str, err: str, code: int) -> str:
    said = [f"! {line}".rstrip() for line in err.splitlines()] + out.splitlines()
    return "\n".join([f"$ {command}", *said, f"[{code}]"]) + "\n"


@pytest.mark.parametrize("file", TRANSCRIPTS, ids=lambda file: file.stem)
def test_a_session_goes_as_its_transcript_says(file: Path, shell):
    written = file.read_text("utf-8")
    sessions = [as_text(command, *shell(command)) for command in commands_of(written)]
    said = introduction_of(written) + "\n".join(sessions)
    if os.environ.get("UPDATE_TRANSCRIPTS"):
        file.write_text(said, "utf-8")
    assert said == written


def test_there_are_transcripts():
    assert TRANSCRIPTS
