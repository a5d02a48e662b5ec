import pytest
from click.testing import CliRunner

from claude_proxy.cli.completion import SHELLS, completion


@pytest.mark.parametrize("shell", SHELLS)
def test_each_shell_has_a_script_that_asks_this_program(shell: str):
    result = CliRunner().invoke(completion, [shell], catch_exceptions=False)
    assert result.exit_code == 0
    assert "_CLAUDE_PROXY_COMPLETE" in result.stdout
    assert f"{shell}_complete" in result.stdout


def test_the_shell_of_the_environment_is_the_default():
    named = CliRunner().invoke(completion, ["zsh"]).stdout
    assert CliRunner(env={"SHELL": "/usr/bin/zsh"}).invoke(completion).stdout == named


@pytest.mark.parametrize("shell", ["", "/bin/csh"])
def test_another_shell_is_a_usage_error_that_names_those_supported(shell: str):
    result = CliRunner(env={"SHELL": shell}).invoke(completion)
    assert result.exit_code == 2
    assert "bash, zsh, fish" in result.output
