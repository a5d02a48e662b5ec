"""What `start` prints; the transcripts show whole sessions."""

import pytest
from click.testing import CliRunner

from claude_proxy.cli import start
from claude_proxy.service.lifecycle import Running
from tests.cli.test_status import RECORD


@pytest.mark.parametrize(
    ("started_by", "remark"),
    [
        (None, "claude-proxy is already running (pid 5); `claude-proxy restart` restarts it\n"),
        ("claude-proxy", ""),
    ],
)
def test_a_daemon_that_ran_before_is_reported(monkeypatch: pytest.MonkeyPatch, started_by: str | None, remark: str):
    monkeypatch.setattr(start, "ensure_running", lambda _: (Running(RECORD, started_by), ["base URL: x"]))
    shown = CliRunner().invoke(start.start, [], catch_exceptions=False)
    assert (shown.exit_code, shown.stdout, shown.stderr) == (0, "base URL: x\n", remark)
