import importlib
import os
import subprocess
import sys

import click
import pytest

from claude_proxy.cli import main
from claude_proxy.errors import ConfigError, ProxyError, ServiceError
from tests.cli.conftest import Run, environment


@pytest.mark.parametrize("name", main._ENTRIES)
def test_every_command_of_the_table_exists_and_says_what_the_table_says(name: str):
    entry = main._ENTRIES[name]
    module, _, attribute = entry.target.partition(":")
    command = getattr(importlib.import_module(f"claude_proxy.cli.{module}"), attribute)
    assert isinstance(command, click.Command)
    assert (command.short_help or command.get_short_help_str(limit=200)).rstrip(".") == entry.help.rstrip(".")
    assert command.name == name


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["config"], ["status"], ["stop"], ["env"], ["logs"]])
def test_a_command_that_needs_no_server_code_loads_none(arguments: list[str]):
    heavy = ("aiohttp", "asyncio", "keyring", "psutil", "rich", "uvloop")
    program = (
        "import sys, atexit\n"
        f"atexit.register(lambda: print([name for name in {heavy} if name in sys.modules], file=sys.stderr))\n"
        f"sys.argv[1:] = {arguments!r}\n"
        "from claude_proxy.cli.main import main; main()"
    )
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, env=environment())
    assert done.stderr.splitlines()[-1] == "[]"


def test_help_lists_every_command_and_no_argument_is_help_on_stderr(run: Run):
    shown = run("--help")
    assert shown.returncode == 0
    assert all(f"\n  {name} " in shown.stdout for name in main._ENTRIES)
    bare = run()
    assert (bare.returncode, bare.stdout) == (main.USAGE, "")
    assert "Usage: claude-proxy" in bare.stderr


def failing(monkeypatch: pytest.MonkeyPatch, problem: BaseException) -> int:
    def fail(**_: object) -> None:
        raise problem

    monkeypatch.setattr(main.cli, "main", fail)
    return main._exit_code()


@pytest.mark.parametrize(
    ("problem", "code", "text"),
    [
        (ProxyError("no", hint="do this"), main.FAILURE, "error: no\nhint: do this\n"),
        (ProxyError("a\x1b[2J\nb\u202e"), main.FAILURE, "error: a\\x1b[2J\\nb\\u202e\n"),
        (ServiceError("it said:\n  a\x1bc\r"), main.FAILURE, "error: it said:\n  a\\x1bc\\r\n"),
        (ProxyError("sk-ant-api03-abcdefgh"), main.FAILURE, "error: sk-ant-***\n"),
        (ConfigError("bad"), main.USAGE, "error: bad\n"),
        (KeyboardInterrupt(), main.INTERRUPTED, ""),
        (click.Abort(), main.INTERRUPTED, ""),
        (click.FileError("x", "Gone."), main.FAILURE, "error: could not open file 'x': Gone\n"),
        (click.UsageError("Wrong."), main.USAGE, "error: wrong\nhint: see `claude-proxy --help`\n"),
        (PermissionError(13, "Permission denied", "/x"), main.FAILURE, "error: /x: Permission denied\n"),
        (OSError("odd"), main.FAILURE, "error: odd\n"),
    ],
)
def test_each_error_has_its_words_and_its_code(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], problem: BaseException, code: int, text: str
):
    assert failing(monkeypatch, problem) == code
    assert capsys.readouterr() == ("", text)


def test_a_reader_that_leaves_is_no_error():
    read, write = os.pipe()
    os.close(read)
    command = [sys.executable, "-m", "claude_proxy", "--help"]
    done = subprocess.run(command, stdout=write, stderr=subprocess.PIPE, timeout=60, check=False, env=environment())
    os.close(write)
    assert (done.returncode, done.stderr) == (main.FAILURE, b"")


def test_a_terminal_of_another_encoding_is_no_error(run: Run):
    done = run("start", "--help", PYTHONIOENCODING="ascii")
    assert done.returncode == 0
    assert "NAME=MODEL," in done.stdout


def test_an_unknown_command_is_answered_with_the_nearest_one(run: Run):
    done = run("strat")
    assert (done.returncode, done.stdout) == (main.USAGE, "")
    assert done.stderr.startswith("error: no such command: strat; did you mean `start`?\n")
    assert "error: no such command: xyzzy\n" in run("xyzzy").stderr
