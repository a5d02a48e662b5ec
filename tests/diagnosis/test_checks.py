import os

from claude_proxy.config import Config, load
from claude_proxy.diagnosis.checks import checks
from claude_proxy.errors import ConfigError
from claude_proxy.paths import paths
from tests.cli.test_transcripts import free_port


def test_with_the_simulator_no_account_is_checked() -> None:
    config = load({"simulator": True, "port": free_port()}, {})
    found = list(checks(lambda: config, os.environ, paths()))
    assert [check.name for check in found] == ["versions", "settings", "files", "daemon", "service", "upstream"]
    assert "failed" not in {check.state for check in found}


def test_settings_that_cannot_be_read_end_the_checks() -> None:
    def broken() -> Config:
        raise ConfigError("port must be a number", hint="see `claude-proxy config`")

    found = list(checks(broken, os.environ, paths()))
    assert [(check.name, check.state) for check in found] == [("versions", "ok"), ("settings", "failed")]
