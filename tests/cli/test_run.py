import sys
from pathlib import Path

import pytest

from claude_proxy.cli.run import NOT_EXECUTABLE, NOT_FOUND
from tests.cli.conftest import Run

SHOW = "import os; print(os.environ['OPENAI_BASE_URL'], os.environ['OPENAI_API_KEY']); raise SystemExit(7)"


def test_the_daemon_is_started_and_the_commands_exit_code_is_ours(run: Run):
    done = run("run", "--simulator", "--port", "0", "--", sys.executable, "-c", SHOW)
    assert done.returncode == 7, done.stderr
    url, key = done.stdout.split()
    assert url.endswith("/openai/v1")
    assert key == "claude-proxy"
    assert run("status").returncode == 0


def test_the_command_gets_the_key_that_the_daemon_demands(run: Run, home: Path):
    file = home / "key"
    file.write_text("k" * 32)
    file.chmod(0o600)
    done = run("run", "--simulator", "--port", "0", "--api-key-file", str(file), "--", sys.executable, "-c", SHOW)
    assert done.stdout.split()[1] == "k" * 32


@pytest.mark.parametrize(("executable", "code"), [(None, NOT_FOUND), (False, NOT_EXECUTABLE)])
def test_a_command_that_cannot_be_run_has_the_exit_code_of_a_shell(
    run: Run, home: Path, executable: bool | None, code: int
):
    program = home / "program"
    if executable is not None:
        program.write_text("#!/bin/sh\n")
    done = run("run", "--simulator", "--port", "0", "--", str(program))
    assert done.returncode == code
    assert f"{program}" in done.stderr


def test_without_a_command_it_is_a_usage_error(run: Run):
    assert run("run").returncode == 2
