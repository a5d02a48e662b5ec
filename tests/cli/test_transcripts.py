"""Each file in `transcripts/` is a session at a terminal: commands, what they say, how they end.

    $ command          run by the shell, in the home that the file has to itself
    ! text             a line on stderr
    text               a line on stdout
    [code]             the exit code

What differs from run to run stands in capitals. `UPDATE_TRANSCRIPTS=1` writes what the commands say now. Those in
`transcripts/systemd` run beside a systemd user manager of their own.
"""

import contextlib
import os
import random
import re
import shlex
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from claude_proxy import __version__
from tests.cli.conftest import ROOT, environment

TRANSCRIPTS = Path(__file__).with_name("transcripts")
SYSTEMD_USER = ROOT / "tests" / "tools" / "systemd-user"


class Said(NamedTuple):
    out: str
    err: str
    code: int


class Shell:
    """A shell that stays, and what its commands say."""

    def __init__(self, command: list[str], place: Path, **options: object) -> None:
        self._out, self._err = place / "out", place / "err"
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, **options)  # type: ignore[call-overload] # as Popen has it

    def run(self, command: str) -> Said:
        to = f">{shlex.quote(str(self._out))} 2>{shlex.quote(str(self._err))} </dev/null"
        self._process.stdin.write(f"timeout 60 bash -c {shlex.quote(command)} {to}; echo $?\n")
        self._process.stdin.flush()
        code = int(self._process.stdout.readline())
        return Said(self._out.read_text("utf-8"), self._err.read_text("utf-8"), code)

    def end(self) -> None:
        self._process.communicate(timeout=120)


def free_port() -> str:
    """A port that nobody has, below those that the system gives to connections."""
    while True:
        port = random.randint(20000, 32000)
        with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return str(port)


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    """An environment with `claude-proxy` on the PATH and a free port in PORT."""
    program = tmp_path / "bin" / "claude-proxy"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -P -m claude_proxy "$@"\n')
    program.chmod(0o755)
    path = f"{program.parent}{os.pathsep}{os.environ['PATH']}"
    return environment(PATH=path, PORT=free_port(), PORT2=free_port(), COLUMNS="100", SHELL="/bin/sh")


@pytest.fixture
def shell(tmp_path: Path, home: Path, environ: dict[str, str]) -> Iterator[Shell]:
    shell = Shell(["bash"], tmp_path, env={**environ, "CLAUDE_PROXY_PORT": environ["PORT"]}, cwd=home)
    yield shell
    shell.run("claude-proxy stop")
    shell.end()


@pytest.fixture
def session(tmp_path: Path, environ: dict[str, str]) -> Iterator[Shell]:
    """A shell in a session that systemd manages, whose services find this checkout."""
    shell = Shell([str(SYSTEMD_USER), "bash"], tmp_path, env=environ, cwd=tmp_path)
    shell.run(f"systemctl --user set-environment PYTHONPATH={shlex.quote(str(ROOT))}")
    yield shell
    shell.end()


def commands_of(transcript: str) -> list[str]:
    return [line.removeprefix("$ ") for line in transcript.splitlines() if line.startswith("$ ")]


def anonymous(text: str, port: str, home: str) -> str:
    text = text.replace(home, "HOME").replace(__version__, "VERSION").replace(port, "PORT")
    text = text.replace(sys.executable, "PYTHON")
    text = re.sub(r"\bpid \d+", "pid PID", text)
    text = re.sub(r"\b(127\.0\.0\.1|localhost):\d{4,5}\b", r"\1:OTHER", text)
    text = re.sub(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d{4}", "TIME", text)
    text = re.sub(r"\b\d+ (s|min) ago\b", "TIME ago", text)
    return re.sub(r"\bfor \d+ (s|min)\b", "for TIME", text)


def as_text(command: str, said: Said) -> str:
    lines = [f"! {line}".rstrip() for line in said.err.splitlines()] + said.out.splitlines()
    return "\n".join([f"$ {command}", *lines, f"[{said.code}]"]) + "\n"


def check(file: Path, shell: Shell) -> None:
    """Play the commands of `file` again: they must say what is written there."""
    written = file.read_text("utf-8")
    port, home = (shell.run(f"printf %s {variable}").out for variable in ('"$PORT"', '"$HOME"'))
    sessions = [as_text(command, shell.run(command)) for command in commands_of(written)]
    said = written.partition("$ ")[0] + anonymous("\n".join(sessions), port, home)
    if os.environ.get("UPDATE_TRANSCRIPTS"):
        file.write_text(said, "utf-8")
    assert said == written


@pytest.mark.parametrize("file", sorted(TRANSCRIPTS.glob("*.txt")), ids=lambda file: file.stem)
def test_a_session_goes_as_its_transcript_says(file: Path, shell: Shell):
    check(file, shell)


@pytest.mark.component("systemd-user")
@pytest.mark.parametrize("file", sorted(TRANSCRIPTS.glob("systemd/*.txt")), ids=lambda file: file.stem)
def test_a_session_under_systemd_goes_as_its_transcript_says(file: Path, session: Shell):
    check(file, session)
