import pytest

from claude_proxy.cli import doctor
from claude_proxy.diagnosis.check import Check
from tests.cli.conftest import Run


def test_doctor_prints_no_traceback_for_an_upstream_that_is_not_there(run: Run):
    done = run("doctor", "--base-url", "http://127.0.0.1:9")
    assert done.returncode == 1
    assert "Traceback" not in done.stderr


def test_escape_sequences_are_made_visible(capsys: pytest.CaptureFixture[str]):
    doctor._show(Check("upstream", "failed", "a\x1b[2Jb", "c\x07d"))
    assert "a\\x1b[2Jb" in capsys.readouterr().out
