import os
import sys
import time
from pathlib import Path

import pytest

from claude_proxy.credentials.programs import (
    ProgramError,
    ProgramResult,
    ProgramTimeout,
    find_program,
    run_program,
    without_secrets,
)


def test_what_says_which_account_is_left_out():
    environ = {
        "HOME": "/home/somebody",
        "PATH": "/bin",
        "CLAUDE_CONFIG_DIR": "/srv/claude",
        "CLAUDE_SECURESTORAGE_CONFIG_DIR": "/srv/safe",
        "HTTPS_PROXY": "http://proxy.example",
        "NODE_EXTRA_CA_CERTS": "/etc/ca.pem",
    }
    secret = {
        "ANTHROPIC_API_KEY": "a",
        "ANTHROPIC_BASE_URL": "b",
        "CLAUDE_CODE_OAUTH_TOKEN": "c",
        "CLAUDE_CODE_USE_BEDROCK": "1",
        "OPENAI_API_KEY": "d",
    }
    assert without_secrets(environ | secret) == environ


def test_a_variable_can_be_kept():
    assert without_secrets({"ANTHROPIC_CONFIG_DIR": "x"}, keep=("ANTHROPIC_CONFIG_DIR",)) == {
        "ANTHROPIC_CONFIG_DIR": "x"
    }


def test_the_path_comes_first(executable, tmp_path):
    home, on_path = tmp_path / "home", tmp_path / "bin"
    executable("made-up-program", "#!/bin/sh\n", home / ".local/bin")
    found = executable("made-up-program", "#!/bin/sh\n", on_path)
    assert find_program("made-up-program", {"PATH": str(on_path)}, home) == found


def test_a_usual_place_is_looked_into(executable, tmp_path):
    found = executable("made-up-program", "#!/bin/sh\n", tmp_path / ".claude/local")
    assert find_program("made-up-program", {}, tmp_path) == found


def test_the_current_directory_is_not_searched(executable, tmp_path, monkeypatch):
    executable("made-up-program", "#!/bin/sh\n", tmp_path)
    monkeypatch.chdir(tmp_path)
    assert find_program("made-up-program", {"PATH": ".::relative"}, Path("/nowhere")) is None


def run(script: str, *, timeout: float = 30.0, max_output: int = 1000, **options: object) -> ProgramResult:
    return run_program(
        ["/bin/sh", "-c", script],
        environ={"PATH": os.defpath, "NAME": "value"},
        cwd=Path("/"),
        timeout=timeout,
        max_output=max_output,
        **options,  # type: ignore[arg-type] # stdin and own_session
    )


def is_alive(pid: str) -> bool:
    """Whether the process runs; one that has ended may still wait to be reaped."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_a_program_is_run_for_its_output_and_exit_code():
    assert run("echo $NAME; pwd; echo unseen >&2; exit 3") == ProgramResult(3, b"value\n/\n")


def test_its_output_does_not_show_itself():
    assert "secret" not in repr(run("echo secret"))


def test_it_gets_its_input_and_may_ignore_it():
    text = b"x" * 300_000
    assert run("wc -c", stdin=text).stdout.strip() == b"300000"
    assert run("cat", stdin=text, max_output=300_000).stdout == text
    assert run("exec true", stdin=text).code == 0


def test_without_input_it_reads_nothing():
    assert run("cat") == ProgramResult(0, b"")


@pytest.mark.parametrize("script", ["sleep 300 & echo $! >&3; wait", "sleep 300 & echo $! >&3; exec >&-; wait"])
def test_a_program_that_takes_too_long_is_killed_with_what_it_started(tmp_path, script):
    with pytest.raises(ProgramTimeout, match=r"did not finish within 0\.3 s"):
        run(f"exec 3> {tmp_path}/pid; {script}", timeout=0.3)
    pid = (tmp_path / "pid").read_text().strip()
    end = time.monotonic() + 20
    while is_alive(pid):
        assert time.monotonic() < end


def test_a_program_without_a_session_of_its_own_is_killed_alone():
    with pytest.raises(ProgramTimeout):
        run("exec sleep 300", timeout=0.3, own_session=False)


def test_a_session_of_its_own_is_an_option():
    script = f"exec {sys.executable} -c 'import os; print(os.getsid(0))'"
    assert int(run(script, own_session=False).stdout) == os.getsid(0)
    assert int(run(script).stdout) != os.getsid(0)


def test_a_program_that_prints_too_much_is_killed():
    assert run("printf 12345", max_output=5).stdout == b"12345"
    with pytest.raises(ProgramError, match="printed more than 5 bytes"):
        run("yes 1", max_output=5)


def test_a_program_that_cannot_be_run_says_why():
    with pytest.raises(ProgramError, match="No such file"):
        run_program(["/nowhere"], environ={}, cwd=None, timeout=1, max_output=1)


@pytest.mark.parametrize("argument", ["a\0b", "\ud800"])
def test_a_command_that_the_system_cannot_take_is_an_error_that_does_not_quote_it(argument):
    with pytest.raises(ProgramError, match="holds a character") as caught:
        run(argument)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__
