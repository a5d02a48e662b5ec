import click
import pytest
from click.testing import CliRunner

from claude_proxy.cli.settings import setting_flags, settings
from claude_proxy.config import SETTINGS, Config
from claude_proxy.setting import as_argument


def given(*arguments: str) -> dict[str, object]:
    """What a command with a flag per setting is called with, flags that are absent left out."""
    found: dict[str, object] = {}

    @click.command()
    @setting_flags
    def command(flags: dict[str, object]) -> None:
        found.update({name: value for name, value in flags.items() if value is not None})

    result = CliRunner().invoke(command, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return found


@pytest.mark.parametrize("item", SETTINGS, ids=lambda item: item.name)
def test_every_setting_has_a_flag(item):
    text = "false" if item.kind is bool else "5"
    assert given(as_argument(item, text)) == {item.name: False if item.kind is bool else "5"}


def test_a_command_is_called_with_the_settings_in_force():
    found: list[Config] = []

    @click.command()
    @settings
    def command(config: Config) -> None:
        found.append(config)

    CliRunner().invoke(command, ["--port", "81", "--no-strict"], catch_exceptions=False)
    assert [(each.port, each.strict, each.origin("port")) for each in found] == [(81, False, "flag")]
