import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import Run, Spawn


@pytest.fixture
def told(spawn: Spawn) -> Callable[[str], str]:
    """Reads the log of a daemon in the foreground up to the line with the given words, after a SIGHUP if wanted."""
    daemon = spawn("serve", "--simulator", "--port", "0", "--strict")

    assert daemon.stderr is not None
    lines = daemon.stderr

    def told(words: str, *, after_hangup: bool = True) -> str:
        if after_hangup:
            daemon.send_signal(signal.SIGHUP)
        return next(line for line in lines if words in line)

    told("listening on", after_hangup=False)
    return told


def test_on_sighup_the_settings_file_is_read_again(told: Callable[[str], str], run: Run, home: Path) -> None:
    file = home / ".config" / "claude-proxy" / "config.toml"
    file.parent.mkdir()
    file.write_text('aliases = { my-model = "sonnet" }\nstrict = false\nretries = 3\nlog_format = "json"')
    # The flag it was started with is stronger than the file: `strict` stays.
    assert '"message": "settings read again; changed: aliases, log_format"' in told("settings read again")
    assert "retries takes effect after restart" in told("takes effect")
    assert run("ask", "-m", "my-model", "x").returncode == 0
    file.write_text("nonsense")
    assert f"the settings stay as they are: {file} is not valid TOML" in told("stay as they are")
    assert run("ask", "-m", "my-model", "x", CLAUDE_PROXY_PORT="1", XDG_CONFIG_HOME=str(home)).returncode == 0
