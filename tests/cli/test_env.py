import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner

from claude_proxy.cli.env import DUMMY_KEY, env, openai_url, variables

URL = "http://127.0.0.1:81/openai/v1"


def printed(*arguments: str, **environ: str) -> str:
    return (
        CliRunner(env={"CLAUDE_PROXY_PORT": "81", "CLAUDE_PROXY_HOST": "127.0.0.1", **environ})
        .invoke(env, arguments, catch_exceptions=False)
        .stdout
    )


def test_a_shell_that_runs_the_lines_has_the_variables():
    script = printed("--shell", "sh") + 'printf \'%s \' "$OPENAI_BASE_URL" "$OPENAI_API_BASE" "$OPENAI_API_KEY"'
    done = subprocess.run(["/bin/sh", "-c", script], capture_output=True, text=True, check=True, env={})
    assert done.stdout.split() == [URL, URL, DUMMY_KEY]


def test_a_key_is_read_from_its_file_and_not_printed(tmp_path: Path):
    file = tmp_path / "it's a key"
    file.write_text("secret-key\n")
    lines = printed("--shell", "sh", CLAUDE_PROXY_API_KEY_FILE=str(file))
    assert "secret-key" not in lines
    done = subprocess.run(
        ["/bin/sh", "-c", f'{lines}printf %s "$OPENAI_API_KEY"'], capture_output=True, text=True, check=True
    )
    assert done.stdout == "secret-key"


@pytest.mark.parametrize(
    ("shell", "line"),
    [
        ("fish", f"set -gx OPENAI_BASE_URL '{URL}'"),
        ("powershell", f"$env:OPENAI_BASE_URL = '{URL}'"),
        ("sh", f"export OPENAI_BASE_URL='{URL}'"),
    ],
)
def test_each_shell_has_its_own_form(shell: str, line: str):
    assert printed("--shell", shell).splitlines()[0] == line


@pytest.mark.parametrize(("shell", "start"), [("fish", "set -gx"), ("powershell", "$env:"), ("sh", "export")])
def test_each_shell_reads_the_key_by_its_own_command(shell: str, start: str):
    line = printed("--shell", shell, CLAUDE_PROXY_API_KEY_FILE="/keys/a").splitlines()[-1]
    assert line.startswith(start)
    assert "/keys/a" in line


def test_the_shell_of_the_environment_is_the_default():
    assert printed(SHELL="/usr/bin/fish").startswith("set -gx ")
    assert printed(SHELL="/bin/bash").startswith("export ")


def test_an_ipv6_address_is_bracketed():
    assert "http://[::1]:81/openai/v1" in printed("--shell", "sh", CLAUDE_PROXY_HOST="::1")


def test_the_variables_name_one_url_and_one_key():
    assert set(variables(openai_url("http://h/"), "k").values()) == {"http://h/openai/v1", "k"}
