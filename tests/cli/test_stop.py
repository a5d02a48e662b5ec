from tests.cli.conftest import Run


def test_a_running_daemon_is_stopped(run: Run):
    assert run("start", "--simulator", "--port", "0").returncode == 0
    stopped = run("stop")
    assert stopped.returncode == 0
    assert "stopped" in stopped.stderr
    assert run("status").returncode == 3


def test_stopping_a_daemon_that_does_not_run_is_no_error(run: Run):
    stopped = run("stop")
    assert (stopped.returncode, stopped.stdout) == (0, "")
    assert "claude-proxy is not running" in stopped.stderr
