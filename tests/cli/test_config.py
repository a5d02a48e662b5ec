import json
import stat
import tomllib
from pathlib import Path

import pytest
from click.testing import CliRunner

from claude_proxy.cli.config import config, template
from claude_proxy.config import SETTINGS
from claude_proxy.errors import ConfigError
from claude_proxy.paths import paths


def test_a_written_file_changes_nothing_and_documents_every_setting():
    assert tomllib.loads(template()) == {}
    for item in SETTINGS:
        assert f"\n#{item.name} = " in template()


def test_every_line_of_the_file_is_a_valid_setting_without_its_mark():
    lines = [line[1:] for line in template().splitlines() if line.startswith("#") and not line.startswith("# ")]
    assert tomllib.loads("\n".join(lines)).keys() == {item.name for item in SETTINGS}


def test_init_writes_a_private_file_once(home: Path):
    result = CliRunner().invoke(config, ["init"], catch_exceptions=False)
    file = paths().config_file
    assert result.stdout.strip() == str(file)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    file.write_text("port = 81\n")
    with pytest.raises(ConfigError, match="exists already"):
        CliRunner().invoke(config, ["init"], catch_exceptions=False)
    assert file.read_text() == "port = 81\n"


def test_path_prints_where_the_file_is():
    assert CliRunner().invoke(config, ["path"]).stdout == f"{paths().config_file}\n"


def test_each_setting_is_shown_with_its_origin():
    environ = {"CLAUDE_PROXY_PORT": "81", "CLAUDE_PROXY_ALIASES": "gpt-4o=opus"}
    result = CliRunner(env=environ).invoke(config, ["--strict", "--json"], catch_exceptions=False)
    shown = json.loads(result.stdout)
    assert shown.keys() == {item.name for item in SETTINGS}
    assert (shown["port"]["value"], shown["strict"]) == (81, shown["strict"] | {"value": True, "from": "flag"})
    assert shown["aliases"]["value"] == {"gpt-4o": "opus"}
    assert shown["host"]["from"] == "default"


def test_the_table_has_a_row_for_each_setting():
    result = CliRunner().invoke(config, ["--port", "81"], catch_exceptions=False)
    rows = {line.split()[0]: line.split()[1:3] for line in result.stdout.splitlines() if line[:1].isalpha()}
    assert rows["port"] == ["81", "flag"]
    assert {item.name for item in SETTINGS} <= rows.keys()
