import json
from typing import Any

from claude_proxy.paths import paths
from claude_proxy.service import daemon
from tests.cli.conftest import Run


def status(run: Run) -> Any:
    return json.loads(run("status", "--json").stdout)


def test_flags_of_the_start_are_kept_unless_they_are_given_again(run: Run):
    assert run("start", "--simulator", "--port", "0", "--strict", "--max-choices", "3").returncode == 0
    before = status(run)
    restarted = run("restart", "--max-choices", "2")
    assert restarted.returncode == 0, restarted.stderr
    after = status(run)
    assert after["pid"] != before["pid"]
    record = daemon.find(paths())
    assert record is not None
    kept = {name: record.flags.get(name) for name in ("strict", "max_choices")}
    assert kept == {"strict": "true", "max_choices": "2"}


def test_a_daemon_that_does_not_run_is_started(run: Run):
    started = run("restart", "--simulator", "--port", "0")
    assert started.returncode == 0, started.stderr
    assert status(run)["running"] is True


def test_settings_that_cannot_work_leave_the_daemon_running(run: Run):
    assert run("start", "--simulator", "--port", "0").returncode == 0
    before = status(run)["pid"]
    failed = run("restart", "--read-timeout", "never")
    assert failed.returncode != 0
    assert status(run)["pid"] == before
